"""Where descriptors come from: Git hosts with discovery, HTTP, and the slow scan."""

import asyncio
import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.scanning import scan
from services.catalog.worker import report
from tests import builders
from tests.catalog.running import OPEN, Host, pointing, running, write

FILE = "catalog-info.yaml"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def site(data: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which it is served."""
    folder = data / "site"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def allowing(address: str) -> str:
    host = address.removeprefix("http://")
    return f"{OPEN}backend:\n  reading:\n    allow:\n      - host: {host}\n"


async def rescan(catalog: Any) -> None:
    work = catalog.work
    await scan(work.catalog, work.desired, 2, report)


async def test_allowed_http_sources_are_read(
    database: Any, data: Path, site: tuple[Path, str]
) -> None:
    """Relative targets and placeholders are URLs; the view link leads to the file."""
    folder, address = site
    write(folder, "note.txt", "hello")
    entity = builders.component("web", {"description": {"$text": "../note.txt"}})
    write(folder, "sub/web.yaml", entity)
    write(folder, "all.yaml", pointing("more", "./sub/web.yaml", "/etc/passwd"))
    async with running(database, data, allowing(address)) as catalog:
        await catalog.register(f"{address}/all.yaml")
        stored = await catalog.entity("component:default/web")
        assert stored is not None
        assert stored["metadata"]["description"] == "hello"
        view = stored["metadata"]["annotations"]["backstage.io/view-url"]
        assert view == f"{address}/sub/web.yaml"
        [problem] = await catalog.problems("more")
        assert f"{address}/etc/passwd" in problem


async def test_a_url_location_may_not_name_local_files(
    database: Any, data: Path, site: tuple[Path, str]
) -> None:
    """A descriptor from a URL cannot name files of this machine."""
    folder, address = site
    secret = write(data, "secret.yaml", builders.component("secret"))
    write(folder, "all.yaml", pointing("more", str(secret), type="file"))
    async with running(database, data, allowing(address)) as catalog:
        await catalog.register(f"{address}/all.yaml")
        assert await catalog.refs() == {"location:more"}
        [problem] = await catalog.problems("more")
        assert "may not point to files" in problem


async def test_an_unavailable_source_deletes_nothing(
    database: Any, data: Path, site: tuple[Path, str]
) -> None:
    """A 404 over HTTP deletes nothing either: it may be the server's mistake."""
    folder, address = site
    file = write(folder, "all.yaml", builders.component("web"))
    async with running(database, data, allowing(address)) as catalog:
        await catalog.register(f"{address}/all.yaml")
        file.unlink()
        await catalog.ask("POST", "/refresh", {"entityRef": "component:web"})
        assert await catalog.refs() == {"component:web"}
        [root] = catalog.work.catalog.state.roots.values()
        assert "all.yaml" in (await catalog.problems(root.name))[0]


async def test_discovery_finds_every_repository_with_a_descriptor(
    database: Any, data: Path, host: Host
) -> None:
    """At start: one root for each such repository, without registration."""
    for name in ("one", "two"):
        host.commit(name, {FILE: builders.component(name)})
    host.commit("bare", {"readme.md": "# hi"})
    async with running(database, data, host.discovering()) as catalog:
        assert await catalog.refs() == {"component:one", "component:two"}
        assert (await catalog.ask("GET", "/locations")).json() == []
        cause = (await catalog.history("component:default/one"))[0]["cause"]
        assert (cause["kind"], cause["author"]) == ("scan", "Bo Example")


async def test_discovery_reads_the_default_branch_of_each_repository(
    database: Any, data: Path, host: Host
) -> None:
    """Whatever it is called, unless the provider names a branch."""
    for name in ("one", "two"):
        host.commit(name, {FILE: builders.component(name)})
    host.rename_branch("two", "trunk")
    async with running(database, data, host.discovering()) as catalog:
        assert await catalog.refs() == {"component:one", "component:two"}
    main_only = f"{host.discovering()}".replace(
        f"        host: {host.name}\n",
        f"        host: {host.name}\n        branch: main\n",
    )
    async with running(database, data, main_only) as catalog:
        assert await catalog.refs() == {"component:one"}


async def test_a_failing_provider_does_not_stop_the_others(
    database: Any, data: Path, host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    """A host that no integration names, or that cannot be listed, is reported."""
    host.commit("one", {FILE: builders.component("one")})
    providers = "  providers:\n    git:\n"
    more_providers = (
        "      a: {host: git.nowhere.example}\n      b: {host: github.com}\n"
    )
    config = host.discovering().replace(providers, f"{providers}{more_providers}")
    config = config.replace("integrations:\n", "integrations:\n  github: [{}]\n")
    async with running(database, data, config) as catalog:
        assert await catalog.refs() == {"component:one"}
    output = capsys.readouterr()
    log_text = output.out + output.err
    assert "git.nowhere.example" in log_text
    assert "github.com cannot be listed" in log_text


async def test_the_scan_finds_changes_of_missed_pushes(
    database: Any, data: Path, host: Host
) -> None:
    """Changed, new and deleted files are found; unchanged files are not written."""
    for name in ("one", "two", "three"):
        host.commit(name, {FILE: builders.component(name)})
    async with running(database, data, host.discovering()) as catalog:
        host.commit("one", {FILE: builders.component("one", owner="b")})
        host.commit("two", {FILE: None})
        host.commit("four", {FILE: builders.component("four")})
        host.commit("three", {"readme.md": "# hi"})
        await rescan(catalog)
        assert await catalog.refs() == {
            "component:one",
            "component:three",
            "component:four",
        }
        assert len(await catalog.history("component:default/one")) == 2
        assert len(await catalog.history("component:default/three")) == 1


async def test_a_nearly_empty_repository_listing_is_an_error(
    database: Any, data: Path, host: Host
) -> None:
    """A host that suddenly lists no repositories is taken for broken."""
    for number in range(5):
        host.commit(f"r{number}", {FILE: builders.component(f"c{number}")})
    async with running(database, data, host.discovering()) as catalog:
        away = data / "away"
        host.bare.rename(away)
        host.bare.mkdir()
        await rescan(catalog)
        assert len(await catalog.refs()) == 5
        host.bare.rmdir()
        away.rename(host.bare)
        (host.bare / "r0.git").rename(data / "r0.git")
        await rescan(catalog)
        assert len(await catalog.refs()) == 4


async def test_locations_removed_from_the_configuration_are_deleted(
    database: Any, data: Path, host: Host
) -> None:
    """Configured locations and providers are removed at the next start."""
    host.commit("found", {FILE: builders.component("found")})
    write(data, "seed.yaml", builders.component("seed"))
    own = write(data, "own.yaml", builders.component("own"))
    more = f"  locations:\n    - type: file\n      target: {data}/seed.yaml\n"
    config = host.config(
        f"{OPEN}{more}  providers:\n    git:\n      all:\n        host: {host.name}\n"
    )
    async with running(database, data, config) as catalog:
        await catalog.register(own)
        # Configured and registered: one does not take away the other.
        await catalog.register(data / "seed.yaml")
        listed = (await catalog.ask("GET", "/locations")).json()
        assert len(listed) == 2
        targets = {item["data"]["target"]: item["data"]["id"] for item in listed}
        identity = targets[str(data / "seed.yaml")]
        await catalog.ask("DELETE", f"/locations/{identity}")
        everything = {"component:found", "component:seed", "component:own"}
        assert await catalog.refs() == everything
    async with running(database, data) as catalog:
        assert await catalog.refs() == {"component:own"}


async def test_a_git_file_can_be_registered_by_its_blob_url(
    database: Any, data: Path, host: Host
) -> None:
    """A blob address is enough; the history names the commit."""
    commit = host.commit("web", {FILE: builders.component("web")}, "First")
    async with running(database, data, host.config()) as catalog:
        answer = await catalog.register(host.url("web"))
        assert answer.status_code == 201
        cause = (await catalog.history("component:default/web"))[0]["cause"]
        assert (cause["commit"], cause["subject"]) == (commit, "First")
        missing = await catalog.register(host.url("web", "no.yaml"), "?dryRun=true")
        assert missing.status_code == 400
        nowhere = await catalog.register(host.url("nowhere"), "?dryRun=true")
        assert nowhere.status_code == 400


async def test_a_placeholder_cannot_leave_its_repository(
    database: Any, data: Path, host: Host
) -> None:
    """Neither another repository nor a path above its own root is included."""
    host.commit("other", {"secret.txt": "secret"})
    targets = [
        host.url("other", "secret.txt"),
        "../../../../other/blob/main/secret.txt",
        "../secret.txt",
    ]
    rules = ["must be in the repository"] * 2 + ["../secret.txt leads out of the"]
    for number, target in enumerate(targets):
        entity = builders.component("web", {"description": {"$text": target}})
        host.commit(f"web{number}", {FILE: entity})
    async with running(database, data, host.config()) as catalog:
        for number, rule in enumerate(rules):
            answer = await catalog.register(host.url(f"web{number}"), "?dryRun=true")
            assert answer.status_code == 400
            assert rule in answer.json()["error"]["message"]


async def test_a_large_file_does_not_block_other_requests(
    database: Any, data: Path
) -> None:
    """While thousands of entities are read, other requests are answered."""
    parts = [
        write(
            data,
            f"p{part}.yaml",
            *[builders.component(f"c{part}-{n}") for n in range(200)],
        ).name
        for part in range(10)
    ]
    file = write(data, "all.yaml", pointing("more", *parts))
    async with running(database, data) as catalog:
        task = asyncio.create_task(catalog.register(file))
        loop, longest = asyncio.get_running_loop(), 0.0
        beginning = loop.time()
        while not task.done():
            start = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - start)
        assert (await task).status_code == 201
        assert len(await catalog.refs()) == 2001
        # Held for the whole of the work, nobody else would have been answered.
        assert longest < (loop.time() - beginning) / 3
