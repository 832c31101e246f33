"""What the catalog keeps: its collections, their shapes and their indexes."""

from shared.kit.documents.migrations import StoredCollection
from shared.kit.documents.mongo import Index
from shared.kit.events.outbox import replace_old_marks

#: By the outbox, and by when they were written: what other processes changed.
ENTITIES = StoredCollection(
    "entities",
    shape=2,
    indexes=(Index.on("unsent"), Index.on("updated")),
    steps={2: replace_old_marks},
)
#: Found by their ids alone, which are made of ref and revision.
REVISIONS = StoredCollection("revisions")
#: By their file in a repository, which has one root.
#: And by when they were written, as entities are.
LOCATIONS = StoredCollection(
    "locations",
    indexes=(Index.on("source", unique=True, sparse=True), Index.on("updated")),
)
#: Names of removed locations, for a day: by when other processes may look for them.
REMOVED_LOCATIONS = StoredCollection(
    "removed_locations", indexes=(Index.on("removed"),)
)
#: By when they were put, as long as no revision refers to them.
DEFINITIONS = StoredCollection("definitions", indexes=(Index.on("touched"),))
#: Marks of snapshots of the read model, a small document each.
SNAPSHOTS = StoredCollection("snapshots", indexes=(Index.on("put"),))
COLLECTIONS = (
    ENTITIES,
    REVISIONS,
    LOCATIONS,
    REMOVED_LOCATIONS,
    DEFINITIONS,
    SNAPSHOTS,
)
