"""Reading over plain HTTP: what is allowed, also after redirects."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shared.contracts.errors import Forbidden, Invalid
from shared.kit.config.integrations import GithubIntegration, Integrations, ReadingAllow
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.git.url_reader import UrlReader


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        location = self.server.redirects.get(self.path)  # type: ignore[attr-defined]
        self.send_response(302 if location else 200)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"body")


class Site:
    """A started server: where it redirects, and what it was asked for."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.redirects: dict[str, str] = {}
        self.paths: list[str] = []
        server.redirects = self.redirects  # type: ignore[attr-defined]
        server.paths = self.paths  # type: ignore[attr-defined]
        self.host = f"127.0.0.1:{server.server_port}"


@pytest.fixture
def sites() -> Iterator[tuple[Site, Site]]:
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _Handler) for _ in range(2)]
    threads = [
        threading.Thread(target=server.serve_forever, args=(0.05,))
        for server in servers
    ]
    for thread in threads:
        thread.start()
    yield Site(servers[0]), Site(servers[1])
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


def reader(folder: Path, site: Site) -> UrlReader:
    allow = [ReadingAllow(host=site.host, paths=["/public"])]
    return UrlReader(allow, RepositoryMirrors(folder, Integrations()))


async def test_allowed_redirects_are_followed(
    tmp_path: Path, sites: tuple[Site, Site]
) -> None:
    """Relative ones, too; the server gets exactly the URL that was checked."""
    site, _ = sites
    site.redirects |= {"/public/a": "b%20c?d=e", "/public/b%20c?d=e": "/public/./f"}
    async with reader(tmp_path, site) as urls:
        content = await urls.read(f"http://{site.host}/x/../public/a")
    assert content.body == b"body"
    assert site.paths == ["/public/a", "/public/b%20c?d=e", "/public/f"]


@pytest.mark.parametrize(
    "location",
    ["/secret", "/public/../secret", "/public/..%2fsecret", "OTHER/public/a"],
)
async def test_a_redirect_to_a_forbidden_url_is_not_followed(
    tmp_path: Path, sites: tuple[Site, Site], location: str
) -> None:
    """The URL of its target is never requested."""
    site, other = sites
    site.redirects["/public/a"] = location.replace("OTHER", f"http://{other.host}")
    async with reader(tmp_path, site) as urls:
        with pytest.raises(Forbidden, match="not allowed"):
            await urls.read(f"http://{site.host}/public/a")
    assert site.paths == ["/public/a"]
    assert other.paths == []


async def test_the_number_of_redirects_is_limited(
    tmp_path: Path, sites: tuple[Site, Site]
) -> None:
    """Five are followed."""
    site, _ = sites
    site.redirects["/public/a"] = "/public/a"
    async with reader(tmp_path, site) as urls:
        with pytest.raises(Invalid, match="more than 5 times"):
            await urls.read(f"http://{site.host}/public/a")
    assert len(site.paths) == 6


async def test_only_the_checked_url_is_requested(
    tmp_path: Path, sites: tuple[Site, Site]
) -> None:
    """A path that leads out of the allowed one never reaches the server."""
    site, _ = sites
    async with reader(tmp_path, site) as urls:
        for path in ("/public/../secret", "/publicity", "/public/%2e%2e%2fsecret"):
            with pytest.raises(Forbidden):
                await urls.read(f"http://{site.host}{path}")
    assert site.paths == []


async def test_allowed_pages_of_a_git_host_are_read(
    tmp_path: Path, sites: tuple[Site, Site]
) -> None:
    """Pages that are no file of a repository; Git reads the others."""
    site, _ = sites
    hosts = Integrations(github=[GithubIntegration(host=site.host)])
    mirrors = RepositoryMirrors(tmp_path, hosts)
    async with UrlReader([], mirrors) as urls:
        with pytest.raises(Forbidden, match=r"no file or folder.*reading\.allow"):
            await urls.read(f"http://{site.host}/o/r/releases/x.yaml")
    allow = [ReadingAllow(host=site.host, paths=["/o/r/releases"])]
    async with UrlReader(allow, mirrors) as urls:
        content = await urls.read(f"http://{site.host}/o/r/releases/x.yaml")
        assert urls.locate(f"http://{site.host}/o/r/blob/main/x.yaml") is not None
    assert content.body == b"body"
