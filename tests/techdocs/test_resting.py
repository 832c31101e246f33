"""A build that a limit stopped rests, longer each time, until something is pushed."""

from datetime import UTC, datetime
from typing import Any

from services.techdocs.model import CHECK, Failure
from shared.contracts.entity import Entity
from tests.techdocs.installation import SITE, Running
from tests.waiting import until

NAME = "box-office"
REF = f"component:default/{NAME}"
SLOW = "![a](" * 5000 + "\n\n" + "[" * 30_000 + "\n\n" + "*" * 30_000 + "a\n"
HOUR = 3600.0


async def _failure(techdocs: Running) -> Failure:
    """Why the latest build failed, when nothing is due any more."""
    records: Any = techdocs.app.state.dependencies.records

    async def looked_at() -> Any:
        record = await records.get(REF)
        is_idle = record is not None and record.requests and not record.due
        return record if is_idle else None

    failure: Failure = (await until(looked_at)).failure
    return failure


async def _stopped(techdocs: Running) -> Failure:
    """Why a first build failed that took longer than it may."""
    techdocs.app.state.dependencies.syncing._queue._tools.limits.seconds = 1
    techdocs.host.commit("box", {**SITE, "docs/slow.md": SLOW})
    await techdocs.document(NAME)
    return await _failure(techdocs)


def _rest(failure: Failure) -> float:
    assert failure.retry_at is not None
    return (failure.retry_at - failure.at).total_seconds()


async def test_a_stopped_build_is_paused(techdocs: Running) -> None:
    """Checks skip it, the pause doubles, and a push builds at once."""
    dependencies = techdocs.app.state.dependencies
    first = await _stopped(techdocs)
    assert "slow.md: mkdocs was stopped at this page" in first.error
    assert (first.stops, _rest(first)) == (1, HOUR)

    await dependencies.records.ask([REF], CHECK)
    assert (await _failure(techdocs)).at == first.at, "it was not built"

    over = {"failure.retry_at": datetime.now(UTC).timestamp() - 1}
    await dependencies.records._all.update_one({"_id": REF}, {"$set": over})
    await dependencies.records.ask([REF], CHECK)
    second = await _failure(techdocs)
    assert second.at > first.at
    assert (second.stops, _rest(second)) == (2, 2 * HOUR)

    await techdocs.push("box", {"docs/slow.md": "# Quick\n"})
    await techdocs.built(NAME)
    assert (await dependencies.records.get(REF)).failure is None


async def test_a_visit_does_not_start_a_paused_build(techdocs: Running) -> None:
    """A reader who opens the page gets the reason."""
    dependencies = techdocs.app.state.dependencies
    first = await _stopped(techdocs)
    entity = Entity(techdocs.catalog.entities[REF][1])
    log_lines = [line async for line in dependencies.syncing.sync(entity)]
    assert log_lines[-1] == ("error", first.error)
    assert any("not built again before" in str(line) for _, line in log_lines)
    assert any("Nothing has changed since" in str(line) for _, line in log_lines)
    assert not any("up to date" in str(line) for _, line in log_lines)
    assert (await _failure(techdocs)).at == first.at
