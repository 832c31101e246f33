"""Killed anywhere, a catalog converges at its next start: nothing lost or twice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.plan_writer import CHUNK
from services.catalog.store.entities import MongoEntityStore
from services.catalog.store.roots import MongoRootLocationStore
from shared.kit.events.bus import MemoryBus
from shared.kit.events.outbox import OutboxRelay
from tests import builders
from tests.catalog.running import Running, pointing, running, write


class Killed(BaseException):
    """Like SIGKILL: nothing catches it."""


def dying(target: Any, name: str, after: int, monkeypatch: Any, *, late: bool) -> None:
    """Let the process die at one call of a method, before or after its effect."""
    real, calls = getattr(target, name), []

    async def method(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        if len(calls) == after and not late:
            raise Killed
        result = await real(*args, **kwargs)
        if len(calls) == after and late:
            raise Killed
        return result

    monkeypatch.setattr(target, name, method)


@asynccontextmanager
async def doomed(
    database: Any,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    death: tuple[Any, str, int, bool],
) -> AsyncIterator[Running]:
    """A catalog in which something is done that kills it, its outbox muted."""
    target, name, after, late = death
    with monkeypatch.context() as patch:
        async with running(database, data) as catalog:
            dying(target, name, after, patch, late=late)
            patch.setattr(OutboxRelay, "drain", _silent)
            killed = False
            try:
                yield catalog
            except Killed:
                killed = True
            assert killed, "it was to die, and did not"
        # Who is killed keeps no snapshot.
    (data / "catalog" / "read-model.snapshot").unlink(missing_ok=True)


#: Enough for several files, few enough for a second.
PER_FILE = 40


def three_files(data: Path, count: int = PER_FILE) -> Path:
    for part in range(3):
        many = [builders.component(f"c{part}-{n}") for n in range(count)]
        write(data, f"p{part}.yaml", *many)
    return write(data, "all.yaml", pointing("more", "p0.yaml", "p1.yaml", "p2.yaml"))


async def published_revisions(catalog: Any) -> dict[str, list[int]]:
    """By entity, the revisions told of since the beginning of the catalog's store."""
    await catalog.work.relay.drain()
    revisions_by_ref: dict[str, set[int]] = {}
    for envelope in catalog.bus.envelopes():
        revisions_by_ref.setdefault(envelope.subject, set()).add(
            envelope.data["revision"]
        )
    return {ref: sorted(revisions) for ref, revisions in revisions_by_ref.items()}


DEATHS = [
    (MongoRootLocationStore, "put", 1, False),
    (MongoRootLocationStore, "put", 1, True),
    (MongoRootLocationStore, "put", 2, False),
    (MongoRootLocationStore, "put", 2, True),
    (MongoEntityStore, "write", 1, False),
    (MongoEntityStore, "write", 1, True),
    (MongoEntityStore, "write", 2, False),
    (MongoEntityStore, "write", 2, True),
]


@pytest.mark.parametrize(("target", "name", "after", "late"), DEATHS)
async def test_a_restart_finishes_an_interrupted_registration(
    database: Any,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: Any,
    name: str,
    after: int,
    late: bool,
) -> None:
    """Wherever it stops, afterwards everything exists exactly once, or nothing."""
    file = three_files(data)
    death = (target, name, after, late)
    async with doomed(database, data, monkeypatch, death) as catalog:
        await catalog.register(file)
    async with running(database, data) as catalog:
        nothing = name == "put" and after == 1 and not late
        assert len(await catalog.refs()) == (0 if nothing else 3 * PER_FILE + 1)
        if nothing:
            return
        revisions_by_ref = await published_revisions(catalog)
        assert len(revisions_by_ref) == 3 * PER_FILE + 2
        assert {tuple(revisions) for revisions in revisions_by_ref.values()} == {(1,)}
        assert len(await catalog.history("component:default/c0-0")) == 1


async def _silent(self: Any) -> int:
    return 0


async def test_an_interrupted_unregistration_can_be_repeated(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registration is removed last, so that it can be deleted once more."""
    count = CHUNK // 3 + 20
    file = three_files(data, count)
    async with running(database, data) as catalog:
        identity = (await catalog.register(file)).json()["location"]["id"]
    death = (MongoEntityStore, "write", 1, True)
    async with doomed(database, data, monkeypatch, death) as catalog:
        await catalog.ask("DELETE", f"/locations/{identity}")
    async with running(database, data) as catalog:
        left = len(await catalog.refs())
        assert 0 < left < 3 * count + 1
        answer = await catalog.ask("DELETE", f"/locations/{identity}")
        assert answer.status_code == 204
        assert await catalog.refs() == set()
    async with running(database, data) as catalog:
        assert await catalog.refs() == set()
        assert (await catalog.ask("GET", "/locations")).json() == []


async def test_the_next_reading_completes_an_interrupted_change(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file still counts as changed, and stored entities are not rewritten."""
    file = three_files(data)
    async with running(database, data) as catalog:
        await catalog.register(file)
    death = (MongoEntityStore, "write", 1, True)
    async with doomed(database, data, monkeypatch, death) as catalog:
        for part in range(3):
            many = [
                builders.component(f"c{part}-{n}", owner="b") for n in range(PER_FILE)
            ]
            write(data, f"p{part}.yaml", *many)
        await catalog.register(file, "?onConflict=refresh")
    async with running(database, data) as catalog:
        await catalog.register(file, "?onConflict=refresh")
        answer = await catalog.ask("GET", "/entities?filter=spec.owner=b&fields=kind")
        assert len(answer.json()) == 3 * PER_FILE
        for name in ("c0-0", "c1-7", "c2-39"):
            assert len(await catalog.history(f"component:default/{name}")) == 2


async def test_events_stay_pending_while_the_event_log_is_away(
    database: Any, data: Path
) -> None:
    """Every stored event is published when the event log is back."""
    file = write(data, "all.yaml", builders.component("web"))
    async with running(database, data) as catalog:
        catalog.bus.away = True
        await catalog.register(file)
        assert await catalog.refs() == {"component:web"}
        assert catalog.bus.sent == []
    async with running(database, data) as catalog:
        revisions_by_ref = await published_revisions(catalog)
        assert revisions_by_ref["component:default/web"] == [1]
    assert isinstance(catalog.bus, MemoryBus)
