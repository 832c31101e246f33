"""Saved, wiped, put back: the same documents, on whatever server they lie."""

import asyncio
import dataclasses
import itertools
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli import backup, dumps
from deploy.cli.commands import all_commands
from deploy.engines.engine import Engine
from services.catalog.model import StoredEntity
from services.catalog.store.entities import MongoEntityStore
from services.techdocs.store.records import MongoRecords
from shared.contracts.errors import Invalid
from shared.kit.documents import mongo
from shared.kit.documents.mongo import Unfit
from shared.kit.events.bus import MemoryBus
from shared.kit.events.outbox import UNSENT, OutboxRelay
from tests.catalog.test_store import change, state
from tests.shared import documents
from tests.techdocs.test_records import record

MANY = 1200


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A document store of the test's own, which the commands are told of."""
    with documents.started(tmp_path) as engine:
        monkeypatch.setenv("CALLBOARD_MONGODB", engine.address)
        yield engine


class Commands:
    """`callboard backup` and `callboard restore` on a data folder."""

    def __init__(self, tmp_path: Path) -> None:
        self.data, self.saved = tmp_path / "data", tmp_path / "saved"
        self.data.mkdir()

    def __call__(self, *words: str, expected: int = 0) -> str:
        arguments = [words[0], str(self.saved), *words[1:], "--data", str(self.data)]
        done = CliRunner().invoke(all_commands(), arguments)
        text: str = " ".join(done.output.split())
        assert done.exit_code == expected, text
        return text


@pytest.fixture
def run(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


async def told(store: MongoEntityStore) -> None:
    relay = OutboxRelay(
        store.collection, MemoryBus(), before_publish=store.keep_revisions
    )
    await relay.drain()


async def filled(client: Any) -> MongoEntityStore:
    """A catalog and a techdocs with something of everything."""
    store = MongoEntityStore(client["callboard_catalog"])
    await store.prepare()
    written = await store.write([change(None, state(f"c{n}")) for n in range(MANY)])
    await told(store)
    second = [
        change(e, state(e.ref.rpartition("/")[2], owner="b")) for e in written.stored
    ]
    await store.write(second[:100])
    await store.write([change(second[200].before, None)])
    records = MongoRecords(
        client["callboard_techdocs"]["sites"], "o", nudge=lambda: None
    )
    await records.prepare()
    await records.remember(record())
    await client["callboard_gateway"]["preferences"].insert_one(
        {"_id": "ann\x1fb\x1fk", "person": "ann", "value": {"a": [1, 2.5, None, "é"]}}
    )
    return store


async def everything(store: MongoEntityStore) -> list[StoredEntity]:
    documents = [stored async for batch in store.every() for stored in batch]
    return sorted(documents, key=lambda stored: stored.ref)


async def test_a_backup_restores_all_data(engine: Engine, run: Commands) -> None:
    """Entities, histories, pending events, records and sites, after a wipe."""
    client = mongo.connect(engine.server)
    store = await filled(client)
    site = run.data / "sites" / "objects" / "ab" / "site"
    site.mkdir(parents=True)
    (site / "index.html").write_text("<p>Docs")
    before = await everything(store)
    history = await store.history("component:default/c7", limit=10)
    assert "Saved" in await asyncio.to_thread(run, "backup")
    for database in await client.list_database_names():
        if database.startswith("callboard_"):
            await client.drop_database(database)
    (site / "index.html").unlink()
    site.rmdir()
    (site.parent).rmdir()
    (site.parent.parent).rmdir()
    assert await everything(store) == []
    text = await asyncio.to_thread(run, "restore")
    assert "checksums equal" in text
    await store.prepare()
    assert await everything(store) == before
    assert await store.history("component:default/c7", limit=10) == history
    assert len(await store.collection.find(UNSENT).to_list(None)) == 101
    assert (site / "index.html").read_text() == "<p>Docs"
    preferences = await client["callboard_gateway"]["preferences"].find_one({})
    assert preferences["value"] == {"a": [1, 2.5, None, "é"]}
    client.close()


async def test_long_definitions_are_saved(engine: Engine, run: Commands) -> None:
    """Thirty of a megabyte each, read in small batches, are restored unchanged."""
    client = mongo.connect(engine.server)
    store = await filled(client)
    texts = {f"hash-{n:02}": f"{n}: {'é' * 500_000}" for n in range(30)}
    for name, text in texts.items():
        await store.definitions.put(name, text)
    await store.definitions.keep(["hash-00"])
    await asyncio.to_thread(run, "backup")
    await client.drop_database("callboard_catalog")
    assert "checksums equal" in await asyncio.to_thread(run, "restore", "--force")
    assert await store.definitions.texts(list(texts)) == texts
    client.close()


async def test_a_restore_overwrites_nothing_without_force(
    engine: Engine, run: Commands
) -> None:
    """Existing documents are named; --force replaces them, newer ones too."""
    client = mongo.connect(engine.server)
    store = await filled(client)
    before = await everything(store)
    await asyncio.to_thread(run, "backup")
    assert "not empty" in await asyncio.to_thread(run, "backup", expected=1)
    await store.write([change(None, state("newer"))])
    refused = await asyncio.to_thread(run, "restore", expected=1)
    assert "callboard_catalog.entities" in refused
    assert "--force" in refused
    assert len(await everything(store)) == len(before) + 1
    await asyncio.to_thread(run, "restore", "--force")
    assert await everything(store) == before
    client.close()


async def test_a_damaged_backup_is_refused_before_the_restore(
    engine: Engine, run: Commands
) -> None:
    """The file is named; existing data stays."""
    client = mongo.connect(engine.server)
    store = await filled(client)
    before = await everything(store)
    await asyncio.to_thread(run, "backup")
    file = run.saved / "callboard_catalog" / "entities.bson.gz"
    file.write_bytes(file.read_bytes()[:-9])
    text = await asyncio.to_thread(run, "restore", "--force", expected=1)
    assert "entities.bson.gz: is not as it was written" in text
    file.unlink()
    text = await asyncio.to_thread(run, "restore", "--force", expected=1)
    assert "entities.bson.gz: is missing" in text
    (run.saved / "manifest.json").unlink()
    text = await asyncio.to_thread(run, "restore", "--force", expected=1)
    assert "no whole backup" in text
    assert await everything(store) == before
    client.close()


@pytest.mark.parametrize("name", ["../../outside", "/{outside}", "objects/../../x"])
def test_an_archive_of_sites_cannot_write_outside(tmp_path: Path, name: str) -> None:
    """Paths that lead outside and links are refused."""
    archive, data = tmp_path / "sites.tar.gz", tmp_path / "data"
    data.mkdir()
    outside = tmp_path / "outside"
    for link in (None, str(outside)):
        with tarfile.open(archive, "w:gz") as packed:
            member = tarfile.TarInfo(name.format(outside=str(outside).lstrip("/")))
            if link is not None:
                member = tarfile.TarInfo("objects/abc")
                member.type, member.linkname = tarfile.SYMTYPE, link
            packed.addfile(member)
        with pytest.raises((Invalid, dumps.BadBackup), match=r"path|neither"):
            backup._unpack(archive, data / "sites")
    assert not outside.exists()
    assert not (data / "sites").exists()


@pytest.mark.parametrize(
    ("database", "collection"),
    [
        ("../../callboard_catalog", "entities"),
        ("callboard_catalog", "../x"),
        ("a", "b"),
    ],
)
def test_a_manifest_names_collections_of_services(
    tmp_path: Path, database: str, collection: str
) -> None:
    """Another name is refused before a file of it is opened."""
    dumped = dumps.DumpedCollection(database, collection, 0, "", "")
    dumps.write_manifest(tmp_path, [dumped], {})
    with pytest.raises(dumps.BadBackup, match="cannot be read"):
        dumps.read_manifest(tmp_path)


async def test_services_do_not_start_on_an_incomplete_restore(
    engine: Engine, run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted restore is reported until it is repeated."""
    client = mongo.connect(engine.server)
    store = await filled(client)
    await asyncio.to_thread(run, "backup")

    def broken(*_: Any) -> None:
        raise OSError(5, "Input/output error", "disk")

    with monkeypatch.context() as patch:
        patch.setattr(dumps, "_compare", broken)
        await asyncio.to_thread(run, "restore", "--force", expected=1)
    with pytest.raises(Unfit, match="a restore was broken off"):
        await store.prepare()
    await asyncio.to_thread(run, "restore", "--force")
    await store.prepare()
    client.close()


async def test_a_backup_during_writes_is_consistent(
    engine: Engine, run: Commands
) -> None:
    """Every entity is restored with exactly the revisions that it counts."""
    client = mongo.connect(engine.server)
    store = await filled(client)
    done = asyncio.Event()

    async def writing() -> None:
        current = (await everything(store))[:40]
        for number in itertools.count():
            if done.is_set():
                return
            after = [
                change(e, dataclasses.replace(e, location=f"url:{number}"))
                for e in current
            ]
            current = list((await store.write(after)).stored)
            await told(store)

    task = asyncio.create_task(writing())
    await asyncio.to_thread(run, "backup")
    done.set()
    await task
    newest = await store.versions()
    await asyncio.to_thread(run, "restore", "--force")
    restored = await everything(store)
    assert sum(newest[e.ref] > e.revision for e in restored) > 0, "nobody wrote"
    for entity in restored[:40]:
        history, count = await store.history(entity.ref, limit=1000)
        assert count == entity.revision
        numbers = [entry.revision for entry in history]
        assert numbers == list(range(entity.revision, 0, -1))
    [again] = (await store.write([change(restored[0], state("c0", owner="z"))])).stored
    await told(store)
    history, _ = await store.history(again.ref, limit=1)
    assert history[0].entity is not None
    assert history[0].entity.owner == "z"
    client.close()


async def test_an_unavailable_store_is_named(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with exit code 1."""
    monkeypatch.setenv("CALLBOARD_MONGODB", "mongodb://127.0.0.1:1")
    text = await asyncio.to_thread(run, "backup", expected=1)
    assert "The document store" in text
