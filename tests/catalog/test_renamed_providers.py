"""Names in the configuration may change: what a location closes stays closed."""

from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.pushes import Push, apply_push
from services.catalog.readers.reading import CatalogSources
from shared.contracts.errors import Unavailable
from tests.catalog.running import OPEN, Host, Running, generated, run, running
from tests.catalog.test_refused_sources import is_closed, pushed, refused
from tests.catalog.test_repository_names import FILE, push
from tests.catalog.test_source_rights import MARK, entity


def configuration(host: Host, *, provider: str = "", location: str = "") -> str:
    """One provider, one location, or both."""
    text = OPEN
    if location:
        text += f"  locations:\n    - type: url\n      target: {location}\n"
    if provider:
        text += (
            f"  providers:\n    git:\n      {provider}:\n        host: {host.name}\n"
        )
    return host.config(text)


async def has_closed_file(catalog: Running, host: Host, *providers: str) -> bool:
    """Whether the location of a gone entity is still there, and closes its source."""
    root = catalog.work.catalog.state.roots[generated(host.url("hush"), "url")]
    assert root.providers == set(providers)
    return bool(root.closed) and await is_closed(catalog, host, "hush")


@pytest.mark.parametrize("is_away", [False, True])
@pytest.mark.parametrize("was_configured", [False, True])
async def test_another_provider_keeps_what_is_closed(
    database: Any,
    data: Path,
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    is_away: bool,
    was_configured: bool,
) -> None:
    """One of another name, or the first; also while the host cannot be listed."""
    host.commit("goal", {FILE: entity("goal")})
    host.commit("hush", {FILE: refused("hush"), "docs/secret.md": MARK})
    before = configuration(host, provider="all")
    if was_configured:
        before = configuration(host, location=host.url("hush"))
    async with running(database, data, before) as catalog:
        if was_configured:
            await catalog.register(host.url("goal"))
        host.commit("hush", {FILE: ""})
        pushed_file = Push(host.name, "hush", "main", frozenset([FILE]), "bo")
        await apply_push(catalog.work.catalog, [], pushed_file)
    if is_away:

        async def fail(*_: Any) -> None:
            raise Unavailable("The host is away")

        monkeypatch.setattr(CatalogSources, "repositories", fail)
    after = configuration(host, provider="every")
    async with running(database, data, after) as catalog:
        assert await has_closed_file(catalog, host, "git:every")


async def test_a_configured_location_keeps_what_its_provider_closed(
    database: Any, data: Path, host: Host
) -> None:
    """Also under another spelling, at this start and at the next."""
    host.commit("goal", {FILE: entity("goal")})
    async with running(database, data, host.discovering()) as catalog:
        await pushed(catalog, host, "hush", refused("hush"))
        host.commit("hush", {FILE: ""})
        await push(catalog, host, "hush", FILE)
        await catalog.register(host.url("goal"))
    spelling = host.url("hush").replace("/blob/", "/edit/")
    for target in (spelling, host.url("hush"), spelling):
        after = configuration(host, location=target)
        async with running(database, data, after) as catalog:
            assert await has_closed_file(catalog, host, "config")


@pytest.mark.parametrize("branch", ["main", "develop"])
async def test_a_provider_means_the_default_branch(
    database: Any,
    data: Path,
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    branch: str,
) -> None:
    """What the operator had configured on another one goes, where no host is listed."""
    host.commit("goal", {FILE: entity("goal")})
    run("git", "push", "-q", "origin", "main:develop", cwd=host.copies / "goal")
    location = host.url("goal").replace("/main/", f"/{branch}/")
    async with running(database, data, configuration(host, location=location)) as first:
        assert await first.refs() == {"component:goal"}

    async def unlisted(*_: Any) -> None:
        return None

    monkeypatch.setattr(CatalogSources, "repositories", unlisted)
    async with running(database, data, configuration(host, provider="all")) as catalog:
        is_meant = branch == "main"
        assert await catalog.refs() == ({"component:goal"} if is_meant else set())


@pytest.mark.parametrize("is_there", [False, True])
async def test_a_branch_and_then_a_provider_get_another_name(
    database: Any, data: Path, host: Host, is_there: bool
) -> None:
    """Its source stays closed, with and without a descriptor on the new branch."""
    host.commit("goal", {FILE: entity("goal")})
    host.commit("hush", {FILE: refused("hush"), "docs/secret.md": MARK})
    async with running(database, data, configuration(host, provider="all")) as catalog:
        host.commit("hush", {FILE: ""})
        await push(catalog, host, "hush", FILE)
        assert await has_closed_file(catalog, host, "git:all")
    copy = host.copies / "hush"
    if not is_there:
        host.commit("hush", {FILE: None})
    run("git", "push", "-q", "origin", "HEAD:trunk", cwd=copy)
    repository = host.bare / "hush.git"
    run("git", "symbolic-ref", "HEAD", "refs/heads/trunk", cwd=repository)
    run("git", "update-ref", "-d", "refs/heads/main", cwd=repository)
    for provider in ("all", "new", "newer"):
        after = configuration(host, provider=provider)
        async with running(database, data, after) as catalog:
            assert await is_closed(catalog, host, "hush"), provider


async def test_what_nothing_names_goes(database: Any, data: Path, host: Host) -> None:
    """A provider of another file or host is no successor."""
    host.commit("goal", {FILE: entity("goal")})
    async with running(database, data, host.discovering()) as catalog:
        assert await catalog.refs() == {"component:goal"}
    after = configuration(host, provider="every")
    path = "        catalogPath: other.yaml\n"
    after = after.replace("every:\n", f"every:\n{path}")
    async with running(database, data, after) as catalog:
        assert await catalog.refs() == set()
        assert not catalog.work.catalog.state.roots
