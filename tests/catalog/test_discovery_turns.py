"""Hosts of many repositories, and locations of many files, hold nobody up."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers import closed_files, discovery
from services.catalog.handlers.catalog import context_for
from services.catalog.handlers.discovery import discover
from services.catalog.model import ClosedFile, FileState
from tests.builders import component
from tests.catalog.running import Host, Running, generated, running
from tests.catalog.test_repository_names import FILE, provider, reports
from tests.costs import limit_stretches

REPOSITORIES = 5_000
FILES = 100_000


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    host.commit("one", {FILE: component("one")})
    async with running(database, data, host.discovering()) as started:
        yield started


@pytest.mark.parametrize("is_vanished", [False, True])
async def test_a_long_listing_is_compared_in_turns(
    catalog: Running, host: Host, monkeypatch: pytest.MonkeyPatch, is_vanished: bool
) -> None:
    """Addresses are taken apart only if repositories vanished, and then in slices."""
    context = catalog.work.catalog
    names = {f"repository-{number}": "main" for number in range(REPOSITORIES)}
    listing = names if is_vanished else {**names, "one": "main"}

    async def repositories(_: Any, __: str) -> Any:
        return listing

    async def reconcile(*_: Any) -> None:
        return None

    monkeypatch.setattr(type(context.sources), "repositories", repositories)
    monkeypatch.setattr(discovery, "reconcile_repository", reconcile)
    source, count = type(context.rights).source, 0

    def counting_source(*arguments: Any) -> str:
        nonlocal count
        count += 1
        return source(*arguments)

    monkeypatch.setattr(type(context.rights), "source", counting_source)
    problems, report = reports()
    async with limit_stretches():
        await discover(context, provider(host), context_for("scan"), report)
    assert problems == []
    assert (count > REPOSITORIES) == is_vanished
    assert ("component:one" in await catalog.refs()) != is_vanished


@pytest.mark.parametrize("is_closed", [False, True])
async def test_a_location_of_many_files_is_looked_through_in_turns(
    catalog: Running, host: Host, monkeypatch: pytest.MonkeyPatch, is_closed: bool
) -> None:
    """Those that it has, and those that it closes."""
    context = catalog.work.catalog
    root = context.state.roots[generated(host.url("one"), "url")]
    [(key, state)] = root.files.items()
    files: dict[Any, FileState] = {
        (key[0], f"{key[1]}{number}"): state for number in range(FILES)
    }
    file = ClosedFile(key[1], state.place)
    wide_root = replace(root, files=files)
    if is_closed:
        closed = {f"component:default/a{number}": file for number in range(FILES)}
        wide_root = replace(root, files={}, closed=closed)
        # Each of them comes from the same repository by another root.
        monkeypatch.setattr(context.state, "providing_location", lambda _: key[1])
    async with limit_stretches():
        assert not await closed_files.is_closing(context, wide_root)
