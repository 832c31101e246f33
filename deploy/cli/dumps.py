"""Documents to files and back: a `.bson.gz` for each collection, as mongodump has it.

Each collection is read once in the order of its ids: every document that was there all
the time is in it once, whole. What one collection says of another is put right where it
matters: revisions that the entities had not reached yet are left out.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

import bson
import orjson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from shared.kit.documents.migrations import LEASE, META, RESTORING

SERVICES = ("catalog", "scaffolder", "techdocs", "gateway")
COLLECTION = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*")
#: The entities first: see `_revisions`.
FIRST = ("entities", "tasks", "sites")
PAGE = 1000
#: Of these a document may have megabytes.
PAGES = {"definitions": 10}
#: Of a restore's single write: the server takes 48 MB at most.
WRITE_BYTES = 16 * 1024 * 1024
Document = Mapping[str, Any]
Progress = Callable[[str, int, int], None]


class BadBackup(RuntimeError):
    """The folder is no whole backup; the message names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class Dumped:
    """One collection's file: how many documents, and what they hold."""

    database: str
    collection: str
    documents: int
    #: Of the documents' values, in whatever order and form a server keeps them.
    content: str
    #: Of the file.
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.database}/{self.collection}.bson.gz"


class Content:
    """A checksum of documents that does not depend on their order or their fields'."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, document: Document) -> None:
        text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS, default=str)
        digest = hashlib.blake2b(text, digest_size=16).digest()
        self._sum = (self._sum + int.from_bytes(digest, "big")) % 2**128
        self.count += 1

    @property
    def hex(self) -> str:
        return f"{self._sum:032x}"


def databases(client: MongoClient[Any]) -> list[Database[Any]]:
    """The services' databases that exist."""
    there = set(client.list_database_names())
    names = (f"callboard_{service}" for service in SERVICES)
    return [client[name] for name in names if name in there]


def dump(client: MongoClient[Any], folder: Path, progress: Progress) -> list[Dumped]:
    """Write every collection of the services to a file of its own."""
    done: list[Dumped] = []
    for database in databases(client):
        revisions: dict[str, int] = {}
        for name in _ordered(database.list_collection_names()):
            found = _documents(database[name])
            if name == "entities":
                found = _noted(found, revisions)
            elif name == "revisions":
                found = _reached(found, revisions)
            elif name == META:
                found = (one for one in found if one["_id"] not in {LEASE, RESTORING})
            total = database[name].estimated_document_count()
            done.append(_dump(database.name, name, found, folder, (progress, total)))
    return done


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name not in FIRST, name))


def _documents(collection: Collection[Any]) -> Iterator[Any]:
    """All documents by their ids, in pages: nothing twice, whoever writes meanwhile."""
    after: dict[str, Any] = {}
    most = PAGES.get(collection.name, PAGE)
    while page := list(collection.find(after).sort("_id", 1).limit(most)):
        yield from page
        after = {"_id": {"$gt": page[-1]["_id"]}}


def _noted(found: Iterator[Any], revisions: dict[str, int]) -> Iterator[Any]:
    for document in found:
        revisions[document["_id"]] = document["revision"]
        yield document


def _reached(found: Iterator[Any], revisions: Mapping[str, int]) -> Iterator[Any]:
    """Without what was written after the entities were read.

    Restored, such an entry would stand in the place of the one that the entity's next
    change makes under the same number.
    """
    for document in found:
        ref, _, number = str(document["_id"]).rpartition("@")
        if int(number) <= revisions.get(ref, 0):
            yield document


def _dump(
    database: str,
    name: str,
    found: Iterable[Any],
    folder: Path,
    telling: tuple[Progress, int],
) -> Dumped:
    path = folder / database / f"{name}.bson.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    content, (progress, total) = Content(), telling
    with gzip.open(path, "wb", compresslevel=3) as out:
        for document in found:
            out.write(bson.encode(document))
            content.add(document)
            if content.count % PAGE == 0:
                progress(f"{database}.{name}", content.count, total)
    progress(f"{database}.{name}", content.count, max(total, content.count))
    return Dumped(database, name, content.count, content.hex, sha256(path))


def write_manifest(folder: Path, done: Sequence[Dumped], more: Document) -> None:
    """Written last: a folder without one is no backup."""
    manifest = {"format": 1, **more, "collections": [asdict(found) for found in done]}
    new = folder / "manifest.new"
    new.write_text(json.dumps(manifest, indent=2) + "\n")
    new.replace(folder / "manifest.json")


def read_manifest(folder: Path) -> tuple[list[Dumped], Document]:
    """What a backup holds, once every file of it is found to be as it was written.

    Raises:
        BadBackup: naming the file.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        dumped = [_dumped(found) for found in manifest["collections"]]
    except FileNotFoundError as error:
        raise BadBackup(f"{folder}: no manifest.json, so no whole backup") from error
    except (ValueError, TypeError, KeyError) as error:
        raise BadBackup(f"{folder / 'manifest.json'}: cannot be read") from error
    if manifest.get("format") != 1:
        raise BadBackup(f"{folder / 'manifest.json'}: format must be 1")
    files = {found.file: found.sha256 for found in dumped}
    if manifest.get("sites"):
        files["sites.tar.gz"] = manifest["sites"]
    for name, expected in files.items():
        if not (folder / name).is_file():
            raise BadBackup(f"{folder / name}: is missing")
        if sha256(folder / name) != expected:
            raise BadBackup(f"{folder / name}: is not as it was written")
    return dumped, manifest


def _dumped(found: Any) -> Dumped:
    """One collection of a manifest, under a name that a service gave it."""
    dumped = Dumped(**found)
    service = dumped.database.removeprefix("callboard_")
    if service not in SERVICES or not COLLECTION.fullmatch(dumped.collection):
        raise ValueError(f"{dumped.file} belongs to no service")
    return dumped


def filled_collections(client: MongoClient[Any]) -> list[str]:
    """The services' collections that hold documents, shapes aside."""
    return [
        f"{database.name}.{name}"
        for database in databases(client)
        for name in sorted(database.list_collection_names())
        if name != META and database[name].find_one({}, {"_id": 1}) is not None
    ]


def restore(
    client: MongoClient[Any], folder: Path, dumped: Sequence[Dumped], progress: Progress
) -> None:
    """Put the documents of a checked backup in the place of what there is.

    Raises:
        BadBackup: if what is then there differs from what was saved.
    """
    names = {*(f"callboard_{service}" for service in SERVICES)}
    for name in names & set(client.list_database_names()):
        client.drop_database(name)
    for name in {found.database for found in dumped}:
        # Services refuse to start on half of a backup.
        client[name][META].insert_one({"_id": RESTORING})
    for found in dumped:
        collection = client[found.database][found.collection]
        count = 0
        for batch in _batches(folder / found.file):
            collection.insert_many(batch, ordered=False)
            count += len(batch)
            progress(f"{found.database}.{found.collection}", count, found.documents)
        _compare(collection, found)
    for name in {found.database for found in dumped}:
        client[name][META].delete_one({"_id": RESTORING})


def _batches(path: Path) -> Iterator[list[RawBSONDocument]]:
    batch: list[RawBSONDocument] = []
    size = 0
    with gzip.open(path, "rb") as source, suppress(StopIteration):
        raw = bson.decode_file_iter(cast("IO[bytes]", source), _RAW)
        while True:
            document = next(raw)
            batch.append(document)
            size += len(document.raw)
            if len(batch) >= PAGE or size > WRITE_BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


_RAW: bson.CodecOptions[RawBSONDocument] = bson.CodecOptions(
    document_class=RawBSONDocument
)


def _compare(collection: Collection[Any], dumped: Dumped) -> None:
    content = Content()
    for document in _documents(collection):
        if dumped.collection != META or document["_id"] != RESTORING:
            content.add(document)
    if (content.count, content.hex) != (dumped.documents, dumped.content):
        raise BadBackup(
            f"{collection.full_name}: {content.count} documents are there and differ "
            f"from the {dumped.documents} that were saved"
        )


def sha256(path: Path) -> str:
    """Of a file."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
