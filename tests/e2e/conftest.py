"""One portal with the example for all journeys, and a browser to walk them in."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from deploy import browser
from tests.e2e.restricted import Secret, push_secret
from tests.e2e.running import GUEST, Portal
from tests.e2e.system import ROOT, System, free_port
from tests.waiting import until_now

SITES = {"payments", "box-office", "handbook"}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, NARROW = (1440, 900), (390, 844)
PATIENCE_MS = 20_000
Open = Callable[..., Any]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the portal's services wrote last."""
    report = yield
    portal = item.funcargs.get("system")
    if report.failed and isinstance(portal, System):
        report.sections.append(("the portal's logs", portal.logs()))
    return report


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """The running portal; it ends with the session and leaves nothing."""
    system = Portal(tmp_path_factory.mktemp("portal") / "data", free_port())
    try:
        system.up()
        # The portal is ready before the example's documentation is built.
        until_now(lambda: documented(system) == SITES, "the example's sites")
        yield system
    finally:
        system.hang_up()
        system.down()


def documented(system: System) -> set[str]:
    """Whose documentation search knows."""
    with system.service() as client:
        results = system.search_results(
            client, "", **{"types[0]": "techdocs", "pageLimit": "100"}
        )
    return {str(result["document"]["name"]) for result in results}


@pytest.fixture(scope="module")
def secret(system: Portal) -> Secret:
    """A restricted component of the portal, with documentation."""
    return push_secret(system)


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where pictures of what a person saw are kept."""
    folder = ROOT / "artefacts" / "journeys"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# Not for the whole session: while Playwright runs, no coroutine test can.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real Chromium; what needs it is skipped with a word where there is none."""
    path = browser.find_browser()
    if path is None:
        pytest.skip("SKIPPED FOR WANT OF A BROWSER: install chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only if there

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def opened(chromium: Any, system: Portal) -> Iterator[Open]:
    """Opens a page as somebody: GUEST, a user's ref, or None for nobody yet.

    The test fails if a page's script raises, if the content security policy refuses
    something, or if a page asks another host for anything.
    """
    mistakes: list[str] = []
    with ExitStack() as stack:

        def go(
            path: str,
            who: str | None = GUEST,
            *,
            size: tuple[int, int] = WIDE,
            **more: Any,
        ) -> Any:
            viewport = {"width": size[0], "height": size[1]}
            context = chromium.new_context(viewport=viewport, **more)
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            if who is not None:
                sign_in(context, system.url, who)
            page = context.new_page()
            watch(page, system.url, mistakes)
            page.goto(system.url + path)
            return page

        yield go
    assert mistakes == []


def sign_in(context: Any, url: str, who: str) -> None:
    """Put a session into the browser's cookies, as the sign-in page does."""
    way, form = ("guest", {}) if who == GUEST else ("as", {"user": who})
    answer = context.request.post(
        f"{url}/sign-in/{way}",
        form={**form, "next": "/settings"},
        headers={"Origin": url},
    )
    assert answer.ok, f"signing in as {who}: {answer.status}"


def watch(page: Any, url: str, mistakes: list[str]) -> None:
    """Note what goes wrong inside a page."""

    def said(message: Any) -> None:
        if "Content Security Policy" in message.text or "htmx:" in message.text:
            mistakes.append(message.text)

    def asked(request: Any) -> None:
        if not request.url.startswith((f"{url}/", "data:", "blob:")):
            mistakes.append(f"another host was asked: {request.url}")

    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", said)
    page.on("request", asked)
