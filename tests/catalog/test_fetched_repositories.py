"""A reading fetches each repository once, also one that is gone or does not answer."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from services.catalog.model import LocationRef
from services.catalog.ports import UnknownCommit
from services.catalog.readers.reading import CatalogSources, SourceReading
from shared.contracts.disk_space import DiskFull
from shared.contracts.errors import CallboardError, Invalid, NotFound, Unavailable
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.git import mirrors as mirrors_module
from shared.kit.git.mirror_updates import CoalescedRuns
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.git.url_reader import UrlReader
from tests.rawtrees import FILE, RawRepository

HOST = "git.elsewhere.example"
FILES = 50
Reading = Callable[[], SourceReading]


class Fetches:
    """Stands in for the fetches of a host; `error` is what they raise."""

    def __init__(self) -> None:
        self.count = 0
        self.error: CallboardError | None = None

    async def __call__(self, *_: object) -> None:
        self.count += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error


@pytest.fixture
def fetches(monkeypatch: pytest.MonkeyPatch) -> Fetches:
    counted = Fetches()
    monkeypatch.setattr(mirrors_module, "update", counted)
    return counted


@pytest.fixture
def sources(tmp_path: Path) -> CatalogSources:
    # A host whose addresses do not show where the ref ends.
    hosts = Integrations(github=[Integration(host=HOST)])
    return CatalogSources(UrlReader([], RepositoryMirrors(tmp_path, hosts)), [])


@pytest.fixture
def mirror(tmp_path: Path) -> RawRepository:
    """The mirror of a repository with the branches `main` and `feature/x`."""
    raw = RawRepository(tmp_path / HOST / "team" / "shop.git")
    commit = raw.commit(raw.tree([(FILE, b"a.yaml", raw.blob("a: 1\n"))]))
    branch = raw.folder / "refs" / "heads" / "feature" / "x"
    branch.parent.mkdir()
    branch.write_text(f"{commit}\n")
    return raw


def location(ref: str, path: str) -> LocationRef:
    return LocationRef("url", f"https://{HOST}/team/shop/blob/{ref}/{path}")


async def errors_of(reading: SourceReading, ref: str) -> list[BaseException]:
    """What readings of many files and renames raise, eight at a time."""
    turns = asyncio.Semaphore(8)

    async def read(number: int) -> object:
        file = location(ref, f"folder-{number}/catalog-info.yaml")
        async with turns:
            if number % 2:
                return await reading.renamed(file, "0" * 40)
            return await reading.read(file)

    calls = [read(number) for number in range(FILES)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    assert len(errors) == FILES
    return errors


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotFound("repository not found"), UnknownCommit),
        (Invalid("git: no"), Invalid),
        (Unavailable("it does not answer", retry_after=9), Unavailable),
        (DiskFull(), DiskFull),
    ],
)
async def test_a_repository_that_cannot_be_fetched_is_fetched_once(
    sources: CatalogSources,
    fetches: Fetches,
    error: CallboardError,
    kind: type[CallboardError],
) -> None:
    """Each file has its own error, of the type and message of the fetch."""
    fetches.error = error
    errors = await errors_of(sources.reading(), "main")
    assert fetches.count == 1
    assert {type(raised) for raised in errors} == {kind}
    assert {str(raised) for raised in errors} == {error.message}
    assert len({id(raised) for raised in errors}) == FILES
    assert len({str(vars(raised)) for raised in errors}) == 1
    # The next reading asks the host anew.
    await errors_of(sources.reading(), "main")
    assert fetches.count == 2


async def test_a_branch_that_is_gone_costs_one_fetch(
    sources: CatalogSources,
    fetches: Fetches,
    mirror: RawRepository,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And few commands, although each address might mean a branch of its own."""
    commands = count_commands(monkeypatch)
    errors = await errors_of(sources.reading(), "gone")
    assert (fetches.count, len(commands)) == (1, 2)
    assert {type(raised) for raised in errors} == {UnknownCommit}
    texts = sorted(map(str, errors))
    assert "gone/folder-0/catalog-info.yaml begins with" in texts[0]
    assert len(set(texts)) == FILES


async def test_a_branch_that_begins_like_a_missing_one_is_read(
    sources: CatalogSources, fetches: Fetches, mirror: RawRepository
) -> None:
    """`feature/gone` says nothing of `feature/x`; one fetch serves both, and `main`."""
    reading = sources.reading()
    with pytest.raises(UnknownCommit):
        await reading.read(location("feature/gone", "a.yaml"))
    for ref in ("feature/x", "main"):
        assert (await reading.read(location(ref, "a.yaml"))).body == b"a: 1\n"
    with pytest.raises(NotFound, match="there is no file none"):
        await reading.read(location("main", "none.yaml"))
    assert fetches.count == 1


async def test_calls_share_the_error_of_a_run() -> None:
    """One that waited for a run must not go on with what was there before it."""
    runs, count = CoalescedRuns(), 0

    async def work() -> None:
        nonlocal count
        count += 1
        await asyncio.sleep(0.01)
        raise Unavailable(f"run {count}")

    calls = [asyncio.create_task(runs.run(work)) for _ in range(5)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert list(map(str, results)) == ["run 1"] + ["run 2"] * 4


async def test_a_cancelled_run_serves_nobody() -> None:
    """The next call that waited does the work itself."""
    runs, ended = CoalescedRuns(), 0

    async def work() -> None:
        nonlocal ended
        await asyncio.sleep(0.01)
        ended += 1

    first, second, third = [asyncio.create_task(runs.run(work)) for _ in range(3)]
    await first
    await asyncio.sleep(0)
    second.cancel()
    await third
    assert ended == 2


def count_commands(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The Git commands of mirrors from now on."""
    commands: list[object] = []
    run_git = mirrors_module.run_git

    async def counted(arguments: list[str], **options: object) -> bytes:
        commands.append(arguments)
        return await run_git(arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(mirrors_module, "run_git", counted)
    return commands
