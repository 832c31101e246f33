"""The portal over a twin of the API, without a socket and in a real browser."""

import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from services.portal.frame import Frame
from services.portal.router import make_portal
from tests.portal.browsing import Open, visits
from tests.portal.company import ANN
from tests.portal.fakes import AsGateway, FakeApi, bearer
from tests.portal.stream import WithStream
from tests.waiting import until_now

CHROMIUM = os.environ.get("CALLBOARD_CHROMIUM", "/usr/bin/chromium")
Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture(scope="session")
def frame() -> Frame:
    """One for all tests: it holds no state, and reading all templates takes time."""
    return Frame("Playhouse", development=True)


@pytest.fixture
def portal(api: FakeApi, frame: Frame) -> FastAPI:
    return make_portal(api, frame=frame)


@pytest.fixture
async def client(portal: FastAPI) -> AsyncIterator[Client]:
    """Makes clients signed in as somebody, Ann unless told; None: as nobody."""
    clients: list[httpx.AsyncClient] = []

    def make(subject: str | None = ANN) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(portal, raise_app_exceptions=False)
        headers = {"x-forwarded-for": "127.0.0.1"}
        if subject:
            headers["authorization"] = bearer(subject)
        http_client = httpx.AsyncClient(
            transport=transport, base_url="http://portal.test", headers=headers
        )
        clients.append(http_client)
        return http_client

    yield make
    for http_client in clients:
        await http_client.aclose()


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots are kept."""
    folder = Path("artefacts/portal")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The app on a real port behind a gateway's twin, for a browser."""
    passed = AsGateway(app)
    config = uvicorn.Config(passed, port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until_now(lambda: server.started, condition="the portal's server")
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(5)


# Not for the whole session: while Playwright runs, no coroutine test can.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium; tests that need it are skipped with a word where it is not."""
    if not shutil.which(CHROMIUM):
        pytest.skip(f"no Chromium at {CHROMIUM}: apt-get install chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only if there

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def live_portal(frame: Frame) -> Iterator[Any]:
    """A running portal with an event stream: `.url`, `.api`, `.stream`."""
    api = FakeApi()
    app = WithStream()
    app.app = make_portal(api, frame=frame)
    with served(app) as url:
        yield type("LiveHouse", (), {"url": url, "api": api, "stream": app})


@pytest.fixture
def open_page(browser: Any, live_portal: Any) -> Iterator[Open]:
    """Opens a page as somebody; fails if the page's scripts raise or are refused."""
    with visits(browser, live_portal.url) as open_page:
        yield open_page
    until_now(
        lambda: not live_portal.stream.readers, condition="nobody listens any more"
    )
