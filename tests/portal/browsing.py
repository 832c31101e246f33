"""Looking at pages in a real browser: who opens them, on which screens, axe's rules."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import axe_core_python

from tests.portal.company import ANN

AXE = Path(axe_core_python.__file__).with_name("axe.min.js")
WIDE, NARROW = (1440, 900), (390, 844)
#: The two that differ most.
SCREENS = [(WIDE, "light"), (NARROW, "dark")]
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
BOOKING = "/catalog/default/component/booking"
Open = Callable[..., Any]


def sign_in(context: Any, url: str, subject: str = ANN) -> None:
    """Give a browser's context the session of a subject."""
    cookie = {"name": "callboard_session", "value": subject, "url": url}
    context.add_cookies([cookie])


@contextmanager
def visits(browser: Any, url: str) -> Iterator[Open]:
    """Opens pages as somebody; fails if their scripts raise or are refused."""
    contexts: list[Any] = []
    mistakes: list[str] = []

    def open_page(
        path: str,
        *,
        size: tuple[int, int] = WIDE,
        subject: str | None = ANN,
        scripts: bool = True,
        **options: Any,
    ) -> Any:
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(
            viewport=viewport, java_script_enabled=scripts, **options
        )
        contexts.append(context)
        if subject:
            sign_in(context, url, subject)
        page = context.new_page()
        _note_mistakes(page, mistakes)
        page.goto(url + path)
        return page

    try:
        yield open_page
    finally:
        for context in contexts:
            context.close()
    assert mistakes == []


def _note_mistakes(page: Any, mistakes: list[str]) -> None:
    def note(message: Any) -> None:
        if "Content Security Policy" in message.text or "htmx:" in message.text:
            mistakes.append(message.text)

    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", note)


def violations(page: Any) -> list[str]:
    page.add_script_tag(path=str(AXE)) if not page.evaluate("'axe' in window") else None
    report = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for violation in report["violations"]
        for node in violation["nodes"]
    ]
