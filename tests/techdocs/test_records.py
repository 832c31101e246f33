"""The table on the real document store: claims, outcomes, events, retention."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.techdocs.handlers.documented import repository_pushed
from services.techdocs.model import (
    CHANGED,
    CHECK,
    Built,
    DocsFolder,
    Documented,
    Failed,
    Failure,
    PublishedSite,
    Unchanged,
)
from services.techdocs.store.records import LEASE_SECONDS, MongoRecords
from shared.contracts.docs_sources import DocsSource
from shared.contracts.entity import Entity
from shared.contracts.gateway import RepositoryPushed
from tests.builders import component
from tests.clock import Clock

REF = "component:default/web"


@pytest.fixture
async def records(database: Any) -> MongoRecords:
    mongo_records = MongoRecords(database["sites"], "one", nudge=lambda: None)
    await mongo_records.prepare()
    return mongo_records


def other(
    records: MongoRecords, owner: str, clock: Clock | None = None
) -> MongoRecords:
    """Another process on the same table."""
    return MongoRecords(
        records._all, owner, nudge=lambda: None, clock=clock or time.monotonic
    )


def record(name: str = "web", revision: int = 1) -> Documented:
    source = DocsSource("url", "https://h/r", ".")
    return Documented(
        f"component:default/{name}", revision, Entity(component(name)), source=source
    )


def site(name: str) -> PublishedSite:
    return PublishedSite(
        name * 32, "Web", 2, datetime.now(UTC), commit="c", warnings=("w",)
    )


async def due(records: MongoRecords, *names: str, how: int = CHANGED) -> None:
    for name in names:
        await records.remember(record(name))
    await records.ask([f"component:default/{name}" for name in names], how)


async def claimed(records: MongoRecords) -> Documented:
    result = await records.claim()
    assert result is not None
    return result


async def pending(records: MongoRecords) -> list[str]:
    result = await records._all.find_one({"_id": REF}) or {}
    return [event["value"] for event in result["pending"]]


async def test_a_record_is_read_back_as_it_was_written(records: MongoRecords) -> None:
    """With the fields of the entity and of its site."""
    await due(records, "web")
    new_site = site("a")
    await records.finish(await claimed(records), Built(new_site, ("docs",), "state"))
    result = await records.get(REF)
    assert result is not None
    assert result.entity == record().entity
    assert result.source == record().source
    assert (result.watched, result.looked, result.due) == (("docs",), "state", 0)
    assert result.current == new_site


async def test_only_newer_revisions_are_stored(records: MongoRecords) -> None:
    """A late or duplicate event changes nothing."""
    assert await records.remember(record(revision=2))
    assert not await records.remember(record(revision=1))
    assert not await records.remember(record(revision=2))
    assert await records.remember(record(revision=3))


async def test_a_record_has_one_claim_at_a_time(records: MongoRecords) -> None:
    """A claimed record is not given to another process; later nothing is due."""
    await due(records, "web")
    mine = await claimed(records)
    assert await records.claim() is None
    assert await other(records, "two").claim() is None
    assert await records.renew(REF)
    assert await records.finish(mine, Built(site("a")))
    assert await records.claim() is None


async def test_a_restarted_process_takes_over_its_own_claim(
    records: MongoRecords,
) -> None:
    """Without waiting; the earlier process can finish nothing."""
    await due(records, "web")
    old = await claimed(records)
    again = other(records, "one")
    new = await claimed(again)
    assert not await records.finish(old, Built(site("a")))
    assert await again.finish(new, Built(site("b")))
    assert len(await pending(again)) == 1


async def test_an_expired_claim_is_free(records: MongoRecords) -> None:
    """A holder that stops renewing loses it, whatever its clock says."""
    await due(records, "web")
    mine, clock = await claimed(records), Clock()
    two = other(records, "two", clock)
    for shift in (-1e9, 1e9):
        await records._all.update_one({"_id": REF}, {"$inc": {"lease_until": shift}})
        assert await two.claim() is None
        clock.now += LEASE_SECONDS - 1
        assert await two.claim() is None
        assert await records.renew(REF)
    assert await two.claim() is None
    clock.now += LEASE_SECONDS + 1
    assert await two.claim() is not None
    assert not await records.renew(REF)
    assert not await records.finish(mine, Built(site("a")))


async def test_requests_during_a_build_cause_one_more_build(
    records: MongoRecords,
) -> None:
    """A push during a build is not lost, however many arrive."""
    await due(records, "web")
    mine = await claimed(records)
    await records.ask([REF], CHANGED)
    await records.ask([REF], CHANGED)
    await records.finish(mine, Built(site("a")))
    again = await claimed(records)
    await records.finish(again, Unchanged())
    assert await records.claim() is None


@pytest.mark.parametrize("first", [CHECK, CHANGED])
async def test_a_check_during_a_build_or_a_check_causes_one_more(
    records: MongoRecords, first: int
) -> None:
    """What is under way may have read the source before the push that is looked for."""
    await due(records, "web", how=first)
    await records.ask([REF], CHECK)
    mine = await claimed(records)
    await records.ask([REF], CHECK)
    assert mine.due == first
    await records.finish(mine, Unchanged())
    again = await claimed(records)
    assert again.due == CHECK
    await records.finish(again, Unchanged())
    assert await records.claim() is None


async def test_changes_are_built_before_checks(records: MongoRecords) -> None:
    """A push does not wait behind routine checks, and does not become one."""
    await due(records, "a", "b", how=CHECK)
    await due(records, "web")
    await records.ask([REF], CHECK)
    assert (await claimed(records)).ref == REF


async def test_a_postponed_build_waits(records: MongoRecords) -> None:
    """An unavailable source is tried again later."""
    await due(records, "web")
    await records.postpone(await claimed(records), 60)
    assert await records.claim() is None
    await records.ask([REF], CHANGED)
    assert (await claimed(records)).tries == 0


async def test_a_repeated_failure_is_published_once(records: MongoRecords) -> None:
    """A failure with another reason is published again."""
    for reason, log_lines in (("broken", 1), ("broken", 1), ("worse", 2)):
        await due(records, "web")
        outcome = Failed(Failure(reason, datetime.now(UTC), log=("line",)))
        await records.finish(await claimed(records), outcome)
        assert len(await pending(records)) == log_lines
    result = await records.get(REF)
    assert result is not None
    assert result.failure is not None
    assert (result.failure.error, result.failure.log) == ("worse", ("line",))


async def test_the_current_and_latest_sites_are_in_use(database: Any) -> None:
    """Older ones are not."""
    records = MongoRecords(database["s"], "o", nudge=lambda: None, keep_last=2)
    for name in "abcd":
        await due(records, "web")
        await records.finish(await claimed(records), Built(site(name)))
    assert await records.used_sites() - {""} == {n * 32 for n in "bcd"}
    assert await records.published() == [(REF, "d" * 32)]


async def test_withdrawn_docs_are_published_before_they_are_purged(
    records: MongoRecords,
) -> None:
    """The last event is sent before the record is deleted."""
    await due(records, "web")
    await records.finish(await claimed(records), Built(site("a")))
    await due(records, "bare")
    await records.forget(REF, 1)
    await records.forget("component:default/bare", 1)
    assert await records.get(REF) is None
    assert await records.published() == []
    assert len(await pending(records)) == 2
    await records.purge()
    assert len(await pending(records)) == 2
    cleared = {"$set": {"pending": []}, "$unset": {"unsent": ""}}
    await records._all.update_one({"_id": REF}, cleared)
    await records.purge()
    assert await records._all.count_documents({}) == 0


async def test_a_late_deletion_does_not_remove_a_newer_entity(
    records: MongoRecords,
) -> None:
    """An entity that was registered again stays."""
    await records.remember(record(revision=5))
    await records.forget(REF, 4)
    assert await records.get(REF) is not None


async def test_entities_are_found_by_their_repository(records: MongoRecords) -> None:
    """A push reads one index, whatever the number of entities."""
    await records.remember(record())
    await records.located(REF, DocsFolder("docs", "h", "r", "main"))
    [(result, branch, folder)] = await records.of_repository("h/r")
    assert (result.ref, branch, folder) == (REF, "main", "docs")
    assert await records.of_repository("h/other") == []


async def test_a_host_may_tell_repositories_apart_by_case(
    records: MongoRecords,
) -> None:
    """The push of a repository `Docs` is none of the repository `docs`."""
    await records.remember(record())
    await records.located(REF, DocsFolder("", "git.example", "docs", "main"))
    assert await records.of_repository("git.example/docs")
    assert await records.of_repository("git.example/Docs") == []


async def test_repositories_are_compared_in_any_case(records: MongoRecords) -> None:
    """A host's spelling need not be that of the annotation."""
    await records.remember(record())
    folder = DocsFolder("", "git.example", "Acme/Docs", "main", folds_case=True)
    await records.located(REF, folder)
    await records.ask([REF], CHECK)
    await records.finish(await claimed(records), Unchanged())
    push = RepositoryPushed(
        provider="git",
        host="git.example",
        repository="acme/docs",
        url="https://git.example/acme/docs",
        ref="refs/heads/main",
        before="0" * 40,
        after="1" * 40,
        pusher="ann",
        delivery="1",
    )
    assert await repository_pushed(push, records) == 1
    assert (await claimed(records)).ref == REF


async def _due_in(records: MongoRecords, repository: str, *names: str) -> None:
    await due(records, *names)
    for name in names:
        await records.located(
            f"component:default/{name}", DocsFolder("", "h", repository)
        )


async def test_repositories_take_turns(records: MongoRecords) -> None:
    """A repository with many sites builds one at a time, alternating with others."""
    await _due_in(records, "large", "a", "b", "c")
    await _due_in(records, "small", "z")
    first, second = await claimed(records), await claimed(records)
    assert (first.name.name, second.name.name) == ("a", "z")
    assert await records.claim() is None, "a slot is left for other repositories"
    await records.finish(first, Unchanged())
    assert (await claimed(records)).name.name == "b"


async def test_a_single_builder_alternates_between_repositories(
    records: MongoRecords,
) -> None:
    """A later request does not wait for all sites of a large repository."""
    await _due_in(records, "large", "a", "b", "c")
    await _due_in(records, "small", "z")
    turns = []
    while (record := await records.claim()) is not None:
        turns.append(record.name.name)
        await records.finish(record, Unchanged())
    assert turns == ["a", "z", "b", "c"]


async def test_sources_without_a_recent_check_are_due(records: MongoRecords) -> None:
    """Old checks become due again, fresh ones do not."""
    await due(records, "web")
    await records.finish(await claimed(records), Built(site("a")))
    assert await records.stale(datetime.now(UTC) - timedelta(minutes=5)) == []
    assert await records.stale(datetime.now(UTC) + timedelta(minutes=5)) == [REF]


async def failed(records: MongoRecords, name: str, minute: int) -> None:
    at = datetime(2026, 11, 22, 15, minute, tzinfo=UTC)
    await due(records, name)
    failure = Failure(f"no {name}.md", at, log=("a", "b"))
    await records.finish(await claimed(records), Failed(failure))


async def test_failed_builds_are_listed_newest_first(records: MongoRecords) -> None:
    """Up to a limit; repaired and removed ones are left out."""
    for minute, name in enumerate(("mended", "gone", "a", "b", "c")):
        await failed(records, name, minute)
    await due(records, "mended")
    await records.finish(await claimed(records), Built(site("e")))
    await records.forget("component:default/gone", None)
    result = await records.failed(2)
    assert [one.failure.error for one in result if one.failure] == [
        "no c.md",
        "no b.md",
    ]
    assert [one.ref[-1] for one in await records.failed(9)] == ["c", "b", "a"]


async def test_records_are_listed_by_state(records: MongoRecords) -> None:
    """All, those due, and those with docs: the last built first, then the others."""
    for name in ("a", "b"):
        await due(records, name)
        await records.finish(await claimed(records), Built(site(name)))
    await due(records, "new")
    deleted_record = record("gone")
    await records.remember(deleted_record)
    await records.forget(deleted_record.ref, None)
    assert await records.waiting() == 1
    named = [item.ref.rpartition("/")[2] async for item in records.listed()]
    assert named == ["b", "a", "new"]
    every = sorted([item.ref.rpartition("/")[2] async for item in records.each()])
    assert every == ["a", "b", "new"]
    by_name = await records.documented_among(
        [REF, "component:default/a", deleted_record.ref]
    )
    assert list(by_name) == ["component:default/a"]
    assert sorted(ref for ref, _ in await records.published()) == [
        "component:default/a",
        "component:default/b",
    ]
