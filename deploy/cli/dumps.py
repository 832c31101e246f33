"""Writes collections to `.bson.gz` files, as mongodump does, and reads them back.

Each collection is read once in the order of its ids, so a document that exists all the
time is saved exactly once. Collections are read one after another; revisions that are
newer than the saved entities are left out.
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

from shared.guards.regular_files import read_regular_file
from shared.kit.documents.migrations import LEASE, META, RESTORING

SERVICES = ("catalog", "scaffolder", "techdocs", "gateway")
COLLECTION = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*")
#: These are saved first: see `_up_to_revisions`.
FIRST_COLLECTIONS = ("entities", "tasks", "sites")
PAGE_SIZE = 1000
#: The page size of collections whose documents may have megabytes.
PAGE_SIZES = {"definitions": 10}
#: The size of one write of a restore: the server accepts 48 MB at most.
WRITE_BYTES = 16 * 1024 * 1024
Document = Mapping[str, Any]
Progress = Callable[[str, int, int], None]


class BadBackup(RuntimeError):
    """The folder is no complete backup; the message names file and reason."""


@dataclass(frozen=True, slots=True)
class DumpedCollection:
    """The file of one collection, with the number and checksum of its documents."""

    database: str
    collection: str
    documents: int
    #: The checksum of the documents' values, independent of their order.
    content: str
    #: The checksum of the file.
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.database}/{self.collection}.bson.gz"


class ContentChecksum:
    """A checksum of documents, independent of their order and the order of fields."""

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
    existing = set(client.list_database_names())
    names = (f"callboard_{service}" for service in SERVICES)
    return [client[name] for name in names if name in existing]


def dump(
    client: MongoClient[Any], folder: Path, progress: Progress
) -> list[DumpedCollection]:
    """Write each collection of the services to its own file."""
    dumped: list[DumpedCollection] = []
    for database in databases(client):
        revisions: dict[str, int] = {}
        for name in _sort_collections(database.list_collection_names()):
            documents = _documents(database[name])
            if name == "entities":
                documents = _recording_revisions(documents, revisions)
            elif name == "revisions":
                documents = _up_to_revisions(documents, revisions)
            elif name == META:
                documents = (
                    document
                    for document in documents
                    if document["_id"] not in {LEASE, RESTORING}
                )
            total = database[name].estimated_document_count()
            dumped.append(
                _dump(database.name, name, documents, folder, (progress, total))
            )
    return dumped


def _sort_collections(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name not in FIRST_COLLECTIONS, name))


def _documents(collection: Collection[Any]) -> Iterator[Any]:
    """All documents in pages by their ids, so that none is read twice."""
    condition: dict[str, Any] = {}
    page_size = PAGE_SIZES.get(collection.name, PAGE_SIZE)
    while page := list(collection.find(condition).sort("_id", 1).limit(page_size)):
        yield from page
        condition = {"_id": {"$gt": page[-1]["_id"]}}


def _recording_revisions(
    documents: Iterator[Any], revisions: dict[str, int]
) -> Iterator[Any]:
    for document in documents:
        revisions[document["_id"]] = document["revision"]
        yield document


def _up_to_revisions(
    documents: Iterator[Any], revisions: Mapping[str, int]
) -> Iterator[Any]:
    """Leave out revisions that were written after the entities were read.

    After a restore, the entity's next change would get the same revision number.
    """
    for document in documents:
        ref, _, number = str(document["_id"]).rpartition("@")
        if int(number) <= revisions.get(ref, 0):
            yield document


def _dump(
    database: str,
    name: str,
    documents: Iterable[Any],
    folder: Path,
    reporting: tuple[Progress, int],
) -> DumpedCollection:
    path = folder / database / f"{name}.bson.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    content, (progress, total) = ContentChecksum(), reporting
    with gzip.open(path, "wb", compresslevel=3) as out:
        for document in documents:
            out.write(bson.encode(document))
            content.add(document)
            if content.count % PAGE_SIZE == 0:
                progress(f"{database}.{name}", content.count, total)
    progress(f"{database}.{name}", content.count, max(total, content.count))
    return DumpedCollection(database, name, content.count, content.hex, sha256(path))


def write_manifest(
    folder: Path, dumped: Sequence[DumpedCollection], extra_fields: Document
) -> None:
    """Write the manifest, as the last file: a folder without it is no backup."""
    manifest = {
        "format": 1,
        **extra_fields,
        "collections": [asdict(collection) for collection in dumped],
    }
    new = folder / "manifest.new"
    new.write_text(json.dumps(manifest, indent=2) + "\n")
    new.replace(folder / "manifest.json")


def read_manifest(folder: Path) -> tuple[list[DumpedCollection], Document]:
    """Read the manifest of a backup, and verify the checksum of every file.

    Raises:
        BadBackup: naming the file.
    """
    try:
        manifest = json.loads(read_regular_file(folder / "manifest.json"))
        dumped = [
            _parse_collection(collection) for collection in manifest["collections"]
        ]
    except FileNotFoundError as error:
        raise BadBackup(f"{folder}: no manifest.json, so no whole backup") from error
    except (ValueError, TypeError, KeyError) as error:
        raise BadBackup(f"{folder / 'manifest.json'}: cannot be read") from error
    if manifest.get("format") != 1:
        raise BadBackup(f"{folder / 'manifest.json'}: format must be 1")
    files = {collection.file: collection.sha256 for collection in dumped}
    if manifest.get("sites"):
        files["sites.tar.gz"] = manifest["sites"]
    for name, expected in files.items():
        if not (folder / name).is_file():
            raise BadBackup(f"{folder / name}: is missing")
        if sha256(folder / name) != expected:
            raise BadBackup(f"{folder / name}: is not as it was written")
    return dumped, manifest


def _parse_collection(fields: Any) -> DumpedCollection:
    """Parse one collection of a manifest; its name must be one of a service."""
    dumped = DumpedCollection(**fields)
    service = dumped.database.removeprefix("callboard_")
    if service not in SERVICES or not COLLECTION.fullmatch(dumped.collection):
        raise ValueError(f"{dumped.file} belongs to no service")
    return dumped


def filled_collections(client: MongoClient[Any]) -> list[str]:
    """The services' collections that have documents, except the versions of shapes."""
    return [
        f"{database.name}.{name}"
        for database in databases(client)
        for name in sorted(database.list_collection_names())
        if name != META and database[name].find_one({}, {"_id": 1}) is not None
    ]


def restore(
    client: MongoClient[Any],
    folder: Path,
    dumped: Sequence[DumpedCollection],
    progress: Progress,
) -> None:
    """Replace all documents by those of a verified backup.

    Raises:
        BadBackup: if the restored documents differ from the saved ones.
    """
    names = {*(f"callboard_{service}" for service in SERVICES)}
    for name in names & set(client.list_database_names()):
        client.drop_database(name)
    for name in {dump_file.database for dump_file in dumped}:
        # Services refuse to start while this document exists.
        client[name][META].insert_one({"_id": RESTORING})
    for dump_file in dumped:
        collection = client[dump_file.database][dump_file.collection]
        count = 0
        for batch in _batches(folder / dump_file.file):
            collection.insert_many(batch, ordered=False)
            count += len(batch)
            progress(
                f"{dump_file.database}.{dump_file.collection}",
                count,
                dump_file.documents,
            )
        _compare(collection, dump_file)
    for name in {dump_file.database for dump_file in dumped}:
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
            if len(batch) >= PAGE_SIZE or size > WRITE_BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


_RAW: bson.CodecOptions[RawBSONDocument] = bson.CodecOptions(
    document_class=RawBSONDocument
)


def _compare(collection: Collection[Any], dumped: DumpedCollection) -> None:
    content = ContentChecksum()
    for document in _documents(collection):
        if dumped.collection != META or document["_id"] != RESTORING:
            content.add(document)
    if (content.count, content.hex) != (dumped.documents, dumped.content):
        raise BadBackup(
            f"{collection.full_name}: {content.count} documents are there and differ "
            f"from the {dumped.documents} that were saved"
        )


def sha256(path: Path) -> str:
    """The SHA-256 checksum of a file."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
