"""A snapshot of the read model in a file beside the store, and its mark in the store.

The file is signed with a key made of the installation's secret: what this installation
did not write is not read. It names a mark that was put into the store just before: a
store that was put back from an older backup does not have the mark, and the file is of
no use then. A file that is cut short, changed or of other code is of no use either: the
read model is then built from the store.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from services.catalog.readmodel import ReadModel, snapshot
from services.catalog.store.collections import SNAPSHOTS
from services.catalog.store.documents import stamp
from shared.contracts.errors import Invalid
from shared.kit.documents.mongo import Database, unavailable_as_error

SIGNATURE_BYTES = 32
LENGTH_BYTES = 8
CHUNK = 1024 * 1024
#: Marks of other processes of this installation are left alone for so long.
FORGOTTEN_AFTER = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class SnapshotHeader:
    """The header before the frames.

    `mark` is the id of the snapshot's document in the store. Every write to the store
    up to `through` is in the snapshot.
    """

    shape: str
    mark: str
    through: datetime


class SnapshotMarks:
    """The snapshots' marks in the store."""

    def __init__(self, database: Database) -> None:
        self._collection = database[SNAPSHOTS.name]

    async def put(self) -> str:
        """A new mark; marks that no snapshot can need any more are removed."""
        mark, now = uuid.uuid4().hex, datetime.now(UTC)
        with unavailable_as_error(self._collection):
            old = {"put": {"$lt": stamp(now - FORGOTTEN_AFTER)}}
            await self._collection.delete_many(old)
            await self._collection.insert_one({"_id": mark, "put": stamp(now)})
        return mark

    async def require(self, mark: str) -> None:
        """Raise Invalid unless this store, or the one it was copied from, got the mark.

        Raises:
            Invalid: then.
            Unavailable: if the store does not answer.
        """
        with unavailable_as_error(self._collection):
            document = await self._collection.find_one({"_id": mark}, {"_id": 1})
        if document is None:
            raise Invalid("snapshot: it is not of this store")


class SnapshotFile:
    """One file; written whole or not at all."""

    def __init__(self, path: Path, secret: str) -> None:
        self._path = path
        self._key = hashlib.blake2b(secret.encode(), person=b"read-model").digest()

    def header(self) -> SnapshotHeader:
        """The header of the file; `read` checks its signature.

        Raises:
            Invalid: if there is no file that this code can read.
        """
        with self._opened() as file:
            header = _header(_frame(file))
        if header.shape != snapshot.shape():
            raise Invalid("snapshot: it was made by other code")
        return header

    def read(self) -> snapshot.SnapshotContents:
        """What was written.

        Raises:
            Invalid: if the file is not as this installation wrote it.
        """
        with self._opened() as file:
            size = os.fstat(file.fileno()).st_size - SIGNATURE_BYTES
            self._check(file, size)
            file.seek(0)
            _frame(file)
            return snapshot.load(_frames(file, size))

    async def write(
        self, model: ReadModel, mark: str, through: datetime, *, pause: float = 0.0
    ) -> bool:
        """Write a read model in slices of some 20 ms, with a pause after each.

        False, and nothing written, if the model changed meanwhile, or another process
        is writing the file.

        Raises:
            OSError: if it cannot be written; the file of before is kept.
        """
        header = {"shape": snapshot.shape(), "mark": mark}
        header["through"] = through.isoformat()
        new = self._path.with_suffix(".new")
        new.parent.mkdir(parents=True, exist_ok=True)
        is_complete = False
        with new.open("ab") as file:
            try:
                # Another process on this folder may be writing the file.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            try:
                file.truncate(0)
                os.fchmod(file.fileno(), 0o600)
                writer = _Writer(file, self._key)
                writer.put(json.dumps(header).encode())
                if await _dumped(model, writer, pause):
                    await asyncio.to_thread(writer.finish)
                    new.replace(self._path)
                    is_complete = True
            finally:
                if not is_complete:
                    new.unlink(missing_ok=True)
        return is_complete

    @contextlib.contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            with self._path.open("rb") as file:
                yield file
        except OSError as error:
            raise Invalid(f"snapshot: {error.strerror}") from error

    def _check(self, file: BinaryIO, size: int) -> None:
        digest, bytes_left = hmac.new(self._key, digestmod=hashlib.sha256), size
        while bytes_left > 0 and (chunk := file.read(min(CHUNK, bytes_left))):
            digest.update(chunk)
            bytes_left -= len(chunk)
        if bytes_left or not hmac.compare_digest(file.read(), digest.digest()):
            raise Invalid("snapshot: its signature does not fit")


class _Writer:
    """Writes frames and, at the end, their signature."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        self._file = file
        self._digest = hmac.new(key, digestmod=hashlib.sha256)

    def put(self, frame: bytes) -> None:
        for part in (len(frame).to_bytes(LENGTH_BYTES), frame):
            self._digest.update(part)
            self._file.write(part)

    def finish(self) -> None:
        self._file.write(self._digest.digest())
        self._file.flush()
        os.fsync(self._file.fileno())


async def _dumped(model: ReadModel, writer: _Writer, pause: float) -> bool:
    revision = model.revision.value
    for frame in snapshot.dump(model):
        writer.put(frame)
        await asyncio.sleep(pause)
        # Before the next frame is made: the tables may not change under it.
        if model.revision.value != revision:
            return False
    return True


def _frames(file: BinaryIO, end: int) -> Iterator[bytes]:
    while file.tell() < end:
        yield _frame(file)


def _frame(file: BinaryIO) -> bytes:
    """The next frame; its length is believed as far as the file goes.

    Raises:
        Invalid: if the file ends before it.
    """
    length = int.from_bytes(file.read(LENGTH_BYTES))
    if length > os.fstat(file.fileno()).st_size:
        raise Invalid("snapshot: it is cut short")
    frame = file.read(length)
    if len(frame) < length:
        raise Invalid("snapshot: it is cut short")
    return frame


def _header(frame: bytes) -> SnapshotHeader:
    try:
        values = json.loads(frame)
        through = datetime.fromisoformat(values["through"])
        return SnapshotHeader(str(values["shape"]), str(values["mark"]), through)
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid("snapshot: its header cannot be read") from error
