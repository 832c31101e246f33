"""The real pages with real data: accessible, light, and nobody else is asked."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import PATIENCE_MS, Open, sign_in
from tests.e2e.running import BEN, Portal, eventually
from tests.portal.browsing import SCREENS, TOO_WIDE, violations

pytestmark = pytest.mark.browser

PAYMENTS = "/catalog/default/component/payments"
FORM = "/create/templates/default/python-service"
PAGES = {
    "home": "/",
    "catalog": "/catalog",
    "entity": PAYMENTS,
    "activity": f"{PAYMENTS}/activity",
    "docs": "/docs",
    "docs-page": "/docs/default/component/payments/",
    "templates": "/create",
    "form": FORM,
    "search": "/search?query=refund",
    "settings": "/settings",
    "insights": "/insights",
    "status": "/status",
    "not-found": "/nothing",
}
SCRIPT_LIMIT = 100_000


@pytest.fixture(scope="module")
def looking(chromium: Any, system: Portal) -> Iterator[Any]:
    """One page for all looks, signed in; axe itself is an injected script."""
    context = chromium.new_context(bypass_csp=True, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    sign_in(context, system.url, BEN)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def run(system: Portal) -> str:
    """The page of a run that made something."""
    name = f"guide-{secrets.token_hex(3)}"
    values = {"name": name, "title": "A guide", "owner": "group:default/money"}
    body = {"templateRef": "template:default/documentation-site", "values": values}
    answer = system.as_(BEN).post("/api/scaffolder/v2/tasks", json=body)
    task = answer.raise_for_status().json()["id"]
    path = f"/api/scaffolder/v2/tasks/{task}"
    eventually(lambda: system.get(path, BEN)["status"] == "completed", "the run's end")
    return f"/create/tasks/{task}"


def looked_at(page: Any, url: str) -> list[str]:
    """What is wrong with a page, in both looks."""
    wrong: list[str] = []
    for size, mode in SCREENS:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme=mode, reduced_motion="reduce")
        page.goto(url)
        wrong += [f"{size[0]} {mode}: {violation}" for violation in violations(page)]
        if page.evaluate(TOO_WIDE):
            wrong.append(f"{size[0]} {mode}: wider than the screen")
    return wrong


@pytest.mark.parametrize("name", PAGES)
def test_pages_with_real_data_are_accessible(
    looking: Any, system: Portal, name: str
) -> None:
    """No violation of axe's rules in light and dark, wide and narrow."""
    assert looked_at(looking, system.url + PAGES[name]) == []


def test_the_page_of_a_run_is_accessible(
    looking: Any, system: Portal, run: str
) -> None:
    """Steps, log and results of a real run."""
    assert looked_at(looking, system.url + run) == []


def test_the_sign_in_page_is_accessible(chromium: Any, system: Portal) -> None:
    """It is every reader's first page."""
    context = chromium.new_context(bypass_csp=True, reduced_motion="reduce")
    problems = looked_at(context.new_page(), f"{system.url}/sign-in")
    context.close()
    assert problems == []


@pytest.mark.parametrize("path", ["/", PAYMENTS, FORM])
def test_a_first_page_load_is_small(opened: Open, system: Portal, path: str) -> None:
    """Less than 100 kB of scripts are sent; `opened` checks the hosts."""
    page = opened("/settings", BEN)
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    client.send("Network.setCacheDisabled", {"cacheDisabled": True})
    scripts: set[str] = set()
    sizes: dict[str, float] = {}

    def answered(event: Any) -> None:
        if event["type"] == "Script":
            scripts.add(event["requestId"])

    def loaded(event: Any) -> None:
        sizes[event["requestId"]] = event["encodedDataLength"]

    client.on("Network.responseReceived", answered)
    client.on("Network.loadingFinished", loaded)
    page.goto(system.url + path, wait_until="load")
    eventually(
        lambda: page.evaluate("true") and scripts <= sizes.keys(), "all has come"
    )
    transferred = sum(sizes[script] for script in scripts)
    print(f"\n{path}: {transferred / 1000:.1f} kB of scripts")
    assert 0 < transferred < SCRIPT_LIMIT
