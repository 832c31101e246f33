"""The read model as bytes: a process that restores them need not parse and index again.

A snapshot is a sequence of frames, each a pickle of plain values and of the few classes
in `_CLASSES`; nothing else is ever loaded. Its shape is a hash of the code that gives
the frames their meaning: a snapshot of other code is not restored. Frames are small, so
that none holds the interpreter for long.
"""

import functools
import hashlib
import io
import itertools
import pickle
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from services.catalog import model as words
from services.catalog.descriptor import definitions
from services.catalog.model import StoredEntity, StoredRelation
from services.catalog.readmodel.entities import ReadModel
from services.catalog.readmodel.postings import Tables
from services.catalog.readmodel.records import NOTHING, EntityRecord
from shared.contracts.catalog import Cause
from shared.contracts.errors import Invalid
from shared.text import folding

#: Entities in a frame, and lines of a table: some 20 ms.
ROWS = 1000
LINES = 10_000
RECORDS = "records"
Row = tuple[Any, ...]
#: What a frame that is no pickle of ours may raise.
_PICKLE_ERRORS = (ValueError, TypeError, KeyError, AttributeError, EOFError, IndexError)
#: What a pickle may name, by module and class.
_CLASSES = frozenset(
    {
        ("pyroaring", "BitMap"),
        ("services.catalog.descriptor.definitions", "Reference"),
        ("services.catalog.readmodel.adjacency", "Pair"),
    }
)


@functools.cache
def shape() -> str:
    """What a snapshot must have been made by so that this code can restore it."""
    digest = hashlib.blake2b(digest_size=16)
    sources = [*sorted(Path(__file__).parent.glob("*.py"))]
    sources += [Path(module.__file__ or "") for module in (words, definitions, folding)]
    for source in sources:
        digest.update(source.read_bytes())
    digest.update(f"{platform.python_version()} {version('pyroaring')}".encode())
    return digest.hexdigest()


def dump(model: ReadModel) -> Iterator[bytes]:
    """The frames of a read model, which must not change meanwhile."""
    for name, table in model.tables().items():
        for part, value in table.items():
            for piece in _pieces(value):
                yield _pickled((name, part, piece))
    for start in range(0, len(model.records), ROWS):
        records = model.records[start : start + ROWS]
        yield _pickled((RECORDS, start, [_row(record) for record in records]))


def _pieces(value: Any) -> Iterator[Any]:
    """A large dictionary in parts; anything else as it is."""
    if not isinstance(value, dict) or len(value) <= LINES:
        yield value
        return
    lines = iter(value.items())
    while piece := dict(itertools.islice(lines, LINES)):
        yield piece


@dataclass(frozen=True, slots=True)
class SnapshotContents:
    """What a snapshot holds: for `ReadModel.take_over`."""

    tables: Mapping[str, Tables]
    records: list[EntityRecord | None]


def load(frames: Iterator[bytes]) -> SnapshotContents:
    """What the frames of a snapshot hold.

    Raises:
        Invalid: if they are not those of a snapshot.
    """
    tables: dict[str, Tables] = {}
    records: list[EntityRecord | None] = []
    try:
        for frame in frames:
            name, part, value = _Unpickler(io.BytesIO(frame)).load()
            if name == RECORDS:
                records += [_record(part + n, row) for n, row in enumerate(value)]
            elif isinstance(value, dict):
                tables.setdefault(name, {}).setdefault(part, {}).update(value)
            else:
                tables.setdefault(name, {})[part] = value
        if not {"rest", "adjacency"} <= tables.keys():
            raise _unreadable("it lacks tables")
    except (pickle.UnpicklingError, *_PICKLE_ERRORS) as error:
        raise _unreadable(type(error).__name__) from error
    return SnapshotContents(tables, records)


def _unreadable(reason: str) -> Invalid:
    return Invalid(f"snapshot: it cannot be read: {reason}")


def _pickled(value: Any) -> bytes:
    return pickle.dumps(value, protocol=5)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _CLASSES:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong here")
        return super().find_class(module, name)


def _row(record: EntityRecord | None) -> Row | None:
    if record is None:
        return None
    stored = record.stored
    return (
        stored.ref,
        stored.uid,
        stored.revision,
        tuple((r.type, r.target, r.inverse) for r in stored.relations),
        stored.location,
        stored.origin,
        stored.location_key,
        stored.created.isoformat(),
        stored.updated.isoformat(),
        stored.cause.model_dump_json(),
        tuple(dict(error) for error in stored.errors),
        stored.parents,
        record.head,
    )


_cause = functools.lru_cache(maxsize=4096)(Cause.model_validate_json)


def _record(entity: int, row: Row | None) -> EntityRecord | None:
    if row is None:
        return None
    ref, uid, revision, relations, location, origin, key, *rest = row
    created, updated, cause, errors, parents, head = rest
    share = sys.intern
    stored = StoredEntity(
        ref=share(ref),
        uid=uid,
        revision=revision,
        entity=NOTHING,
        relations=tuple(
            StoredRelation(share(name), share(target), share(inverse))
            for name, target, inverse in relations
        ),
        location=share(location),
        origin=share(origin),
        location_key=share(key),
        created=datetime.fromisoformat(created),
        updated=datetime.fromisoformat(updated),
        cause=_cause(cause),
        errors=errors,
        parents=tuple(share(parent) for parent in parents),
    )
    return EntityRecord(entity, stored, head)
