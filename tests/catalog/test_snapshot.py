"""A read model that is kept at an end and restored at a start is the same one."""

import asyncio
import os
import pickle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalog.model import StoredEntity
from services.catalog.readmodel import ReadModel, snapshot
from services.catalog.store.snapshots import SnapshotFile
from shared.contracts.errors import Invalid
from tests import builders
from tests.catalog.readmodels import NOW, model_of, stored
from tests.catalog.running import running, write
from tests.catalog.test_readmodel_properties import STEPS, check, take_steps
from tests.conftest import SECRET
from tests.waiting import until


def copied(model: ReadModel) -> ReadModel:
    """The model as another process restores it."""
    contents = snapshot.load(snapshot.dump(model))
    copy = ReadModel(first_revision=0)
    copy.take_over(contents.tables, contents.records)
    return copy


@settings(max_examples=60, deadline=None)
@given(STEPS, STEPS)
def test_a_restored_read_model_behaves_like_the_original(
    before: list[StoredEntity | str], after: list[StoredEntity | str]
) -> None:
    """Later changes have the same effect on both."""
    model = ReadModel(first_revision=0)
    entities: dict[str, StoredEntity] = {}
    take_steps(model, entities, before)
    copy = copied(model)
    assert copy.checksum() == model.checksum()
    check(copy, entities)
    take_steps(copy, entities, after)
    check(copy, entities)


def test_every_part_of_an_entity_is_restored() -> None:
    """Errors, parents, cause and times are those of the original."""
    entity = stored(
        builders.component("web", {"title": "Größe"}),
        ("dependsOn", "component:default/db"),
        revision=7,
        errors=[{"message": "broken", "level": "error"}],
        parents=["location:default/here"],
    )
    model = model_of(entity)
    assert copied(model).get(entity.ref) == model.get(entity.ref)


class Command:
    """What a forged frame would run."""

    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/forged",)


def test_a_frame_that_names_a_foreign_class_is_refused() -> None:
    """Only the read model's own classes are loaded."""
    with pytest.raises(Invalid, match="snapshot"):
        snapshot.load(iter([pickle.dumps(Command())]))


@pytest.mark.parametrize("frame", [b"", b"\x80\x05.", pickle.dumps(1), b"junk" * 9])
def test_malformed_frames_are_refused(frame: bytes) -> None:
    """Random bytes are a snapshot error, whatever pickle raises for them."""
    with pytest.raises(Invalid, match="snapshot"):
        snapshot.load(iter([frame]))


def file_of(folder: Path, secret: str = SECRET) -> SnapshotFile:
    return SnapshotFile(folder / "catalog" / "read-model.snapshot", secret)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A snapshot of one entity."""
    model = model_of(stored(builders.component("web")))
    assert asyncio.run(file_of(tmp_path).write(model, "mark", NOW))
    return tmp_path / "catalog" / "read-model.snapshot"


def test_a_written_snapshot_is_private_and_complete(
    written: Path, tmp_path: Path
) -> None:
    """Only its owner may read the file, and no temporary file stays beside it."""
    assert written.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in written.parent.iterdir()] == [written.name]
    assert file_of(tmp_path).header().mark == "mark"
    assert len(file_of(tmp_path).read().records) == 1


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_snapshot_with_a_changed_byte_is_refused(data: Any) -> None:
    """A change or a cut at any place is noticed."""
    with TemporaryDirectory() as folder:
        file = file_of(Path(folder))
        model = model_of(stored(builders.component("web")))
        assert asyncio.run(file.write(model, "mark", NOW))
        path = Path(folder) / "catalog" / "read-model.snapshot"
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[at] ^= data.draw(st.integers(1, 255))
        else:
            del content[at:]
        path.write_bytes(content)
        with pytest.raises(Invalid, match="snapshot"):
            file.read()


async def test_a_read_model_that_changes_while_written_is_not_saved(
    tmp_path: Path,
) -> None:
    """The file would mix one state with the next."""
    model = model_of(*(stored(builders.component(f"c{n}")) for n in range(2500)))
    file = file_of(tmp_path)
    frames = sum(1 for _ in snapshot.dump(model))
    writing = asyncio.create_task(file.write(model, "mark", NOW))
    # Each frame is a turn: half of them are written.
    for _ in range(frames // 2):
        await asyncio.sleep(0)
    model.put(stored(builders.component("late")))
    assert not await writing
    assert list((tmp_path / "catalog").iterdir()) == []
    assert await file.write(model, "mark", NOW)
    assert len(file.read().records) == 2501


def test_another_installations_snapshot_is_refused(
    written: Path, tmp_path: Path
) -> None:
    """The signature belongs to the installation's secret."""
    assert written.exists()
    with pytest.raises(Invalid, match="signature"):
        file_of(tmp_path, SECRET[::-1]).read()


def test_a_snapshot_of_another_code_version_is_refused(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The meaning of frames depends on the code that wrote them."""
    assert written.exists()
    monkeypatch.setattr(snapshot, "shape", lambda: "another")
    with pytest.raises(Invalid, match="other code"):
        file_of(tmp_path).header()


async def test_a_restarted_catalog_is_restored_from_its_snapshot(
    database: Any, data: Path
) -> None:
    """It answers as before the stop, without reading every entity."""
    file = write(data, "a.yaml", *(builders.component(f"c{n}") for n in range(20)))
    async with running(database, data) as catalog:
        await catalog.register(file)
        before, entity = (
            await catalog.refs(),
            await catalog.entity("component:default/c3"),
        )
        checksum = catalog.app.state.readmodel.checksum()
    async with running(database, data) as catalog:
        assert catalog.work.loader.is_restored
        assert catalog.app.state.readmodel.checksum() == checksum
        assert await catalog.refs() == before
        assert await catalog.entity("component:default/c3") == entity
        # Its registrations are known too: the file that changes is applied.
        write(data, "a.yaml", builders.component("c3"), builders.component("new"))
        await catalog.ask("POST", "/refresh", {"entityRef": "component:default/c3"})
        assert await catalog.refs() == {"component:c3", "component:new"}


async def test_changes_after_the_snapshot_are_read_from_the_store(
    database: Any, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Writes, changes and deletions of another process are shown."""
    names = ("stays", "changes", "goes")
    file = write(data, "a.yaml", *(builders.component(name) for name in names))
    async with running(database, data) as catalog:
        await catalog.register(file)
    other = tmp_path_factory.mktemp("other")
    changed = builders.component("changes", {"title": "Changed"})
    write(
        data, "a.yaml", builders.component("stays"), changed, builders.component("new")
    )
    async with running(database, other) as catalog:
        await catalog.ask("POST", "/refresh", {"entityRef": "component:default/stays"})
    async with running(database, data) as catalog:
        assert catalog.work.loader.is_restored
        assert await catalog.refs() == {
            f"component:{name}" for name in ("stays", "changes", "new")
        }
        entity = await catalog.entity("component:default/changes")
        assert entity is not None
        assert entity["metadata"]["title"] == "Changed"


async def test_a_snapshot_is_written_without_time_to_catch_up(
    database: Any, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A process ends soon after it has written much; the next one catches up."""
    file = write(data, "a.yaml", builders.component("web"), builders.component("db"))
    other = tmp_path_factory.mktemp("other")
    async with running(database, data) as catalog:
        await catalog.register(file)
        through = catalog.work.follower.through
        async with running(database, other) as rival:
            write(data, "a.yaml", builders.component("web"), builders.component("new"))
            web = {"entityRef": "component:default/web"}
            await rival.ask("POST", "/refresh", web)

        async def is_written() -> bool:
            # A change that arrives meanwhile ends the writing.
            await catalog.work.loader.keep(patience=0)
            return file_of(data)._path.exists()

        await until(is_written, "the snapshot")
        assert file_of(data).header().through >= through
    async with running(database, data) as catalog:
        assert catalog.work.loader.is_restored
        assert await catalog.refs() == {"component:web", "component:new"}


async def test_a_snapshot_that_missed_a_change_is_repaired(
    database: Any, data: Path
) -> None:
    """Every revision is compared after the start, whatever the write times are."""
    file = write(data, "a.yaml", builders.component("web"), builders.component("db"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        await catalog.work.relay.drain()
    # As a clock that stood years behind would have written it.
    await database["entities"].update_one(
        {"_id": "component:default/db"},
        {"$set": {"deleted": True, "updated": "2001-01-01T00:00:00.000000+00:00"}},
    )
    file.unlink()
    async with running(database, data) as catalog:
        assert catalog.work.loader.is_restored
        assert "component:db" not in await catalog.refs()


async def test_a_restored_store_is_read_completely(database: Any, data: Path) -> None:
    """A store from before the snapshot does not have the snapshot's mark."""
    file = write(data, "a.yaml", builders.component("web"))
    async with running(database, data) as catalog:
        await catalog.register(file)
    await database["snapshots"].delete_many({})
    async with running(database, data) as catalog:
        assert not catalog.work.loader.is_restored
        assert "component:web" in await catalog.refs()


async def test_a_stop_without_changes_keeps_the_snapshot_file(
    database: Any, data: Path
) -> None:
    """A snapshot that is still valid is not written again."""
    file = write(data, "a.yaml", builders.component("web"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        path = catalog.work.settings.snapshot_file
    for _ in range(2):
        async with running(database, data) as catalog:
            assert catalog.work.loader.is_restored
    first = path.stat().st_mtime_ns
    async with running(database, data) as catalog:
        assert catalog.work.loader.is_restored
    assert path.stat().st_mtime_ns == first


async def test_a_killed_catalog_restores_an_earlier_snapshot(
    database: Any, data: Path
) -> None:
    """Snapshots are written while the catalog runs, not only at a regular stop."""
    file = write(data, "a.yaml", builders.component("web"))
    async with running(database, data, snapshot_seconds=0.1) as catalog:
        await catalog.register(file)
        path, count = catalog.work.settings.snapshot_file, len(await catalog.refs())
        snapshot_file = file_of(data)
        await until(lambda: path.exists() and len(snapshot_file.read().records) > count)


async def test_a_snapshot_that_cannot_be_written_prevents_no_stop(
    database: Any, data: Path
) -> None:
    """The next start reads the store."""
    file = write(data, "a.yaml", builders.component("web"))
    (data / "catalog").write_text("in the way")
    async with running(database, data) as catalog:
        await catalog.register(file)
    async with running(database, data) as catalog:
        assert not catalog.work.loader.is_restored
        assert "component:web" in await catalog.refs()
