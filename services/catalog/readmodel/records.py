"""What the read model keeps of one entity: its bytes, and what is not in them."""

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType

import orjson

from services.catalog.model import StoredEntity, StoredRelation
from shared.contracts.entity import Entity

NOT_PLACED = -1
NOTHING = Entity(MappingProxyType({}))


@dataclass(slots=True, eq=False)
class EntityRecord:
    """An entity ready to be sent: `head` is its JSON without the closing brace.

    `tail` (relations, status and that brace) is made when first read, and forgotten
    when a neighbour comes or goes. `stored` holds the rest, without the document.
    """

    entity: int
    stored: StoredEntity
    head: bytes
    tail: bytes | None = None

    @property
    def ref(self) -> str:
        return self.stored.ref

    def document(self) -> Entity:
        """The entity as it was stored: without relations and status."""
        return Entity(orjson.loads(self.head + b"}"))


def record_of(stored: StoredEntity) -> EntityRecord:
    """A record that shares with all others what repeats; it has no id yet."""
    share = sys.intern
    relations = tuple(
        StoredRelation(share(r.type), share(r.target), share(r.inverse))
        for r in stored.relations
    )
    without_document = replace(
        stored,
        entity=NOTHING,
        ref=share(stored.ref),
        relations=relations,
        location=share(stored.location),
        origin=share(stored.origin),
        location_key=share(stored.location_key),
        parents=tuple(share(ref) for ref in stored.parents),
    )
    head = orjson.dumps(stored.entity.raw)[:-1]
    return EntityRecord(NOT_PLACED, without_document, head)


def tail_of(record: EntityRecord, relations: Iterable[tuple[str, str]]) -> bytes:
    """What completes a record's head: relations by type, then target, and status."""
    relation_items = [
        {"type": t, "targetRef": target} for t, target in sorted(relations)
    ]
    tail = b',"relations":' + orjson.dumps(relation_items)
    if record.stored.errors:
        items = [dict(error) for error in record.stored.errors]
        tail += b',"status":' + orjson.dumps({"items": items})
    return tail + b"}"


def fingerprint(stored: StoredEntity) -> int:
    """64 bits that stand for an entity at a revision; their xor stands for many."""
    text = f"{stored.ref}@{stored.revision}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
