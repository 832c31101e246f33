"""The collection of records: its shape and its indexes."""

from shared.kit.documents.migrations import StoredCollection
from shared.kit.documents.mongo import Index
from shared.kit.events import outbox

SITES = StoredCollection(
    "sites",
    shape=2,
    steps={2: outbox.replace_old_marks},
    indexes=tuple(
        Index.on(field, sparse=True)
        for field in (
            *("due", "unsent", "repository", "built_at", "looked_at"),
            *("site_repository", "rights_changed"),
            "failure.at",
        )
    ),
)
