"""What a person does and sees: a real browser, real pushes, a real template run."""

import io
import re
import secrets
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import NARROW, Open
from tests.e2e.running import ANN, BEN, Portal, eventually, push, replaced
from tests.e2e.system import working_copy

pytestmark = pytest.mark.browser

PAYMENTS = "/catalog/default/component/payments"
DOCS = "/docs/default/component/payments/"
#: What a busy machine is given; the promises themselves are `make bench`'s to measure.
CHANGED_SECONDS = 5.0
BUILT_SECONDS = 20.0


def word() -> str:
    """A word that stands nowhere yet."""
    return f"zq{secrets.token_hex(4)}"


def listening(page: Any) -> Any:
    """The page, once it hears of changes; marked, to tell it from one loaded anew."""
    page.locator("html[data-live=open]").wait_for(state="attached")
    page.evaluate("document.body.dataset.kept = 'yes'")
    return page


def measured(journey: str, wait: Callable[[], Any], limit: float) -> None:
    """Wait, print how long that took, fail beyond the limit."""
    start = time.monotonic()
    wait()
    seconds = time.monotonic() - start
    print(f"\n{journey}: {seconds:.2f} s")
    assert seconds <= limit, f"{journey}: {seconds:.2f} s"


def found(system: Portal, text: str) -> Any:
    """Wait until searching finds something."""
    return eventually(lambda: system.results(text), f"search finds {text}")


def test_a_guest_browses_the_portal(opened: Open, pictures: Path) -> None:
    """Signs in, filters, opens an entity, reads its docs, searches."""
    page = opened("/catalog", None)
    page.get_by_role("button", name="Continue as a guest").click()
    page.wait_for_url("**/catalog")
    page.locator("input[name=type][value=batch]").check()
    page.wait_for_url("**/catalog?type=batch")
    expect(page.locator("[data-row]", has_text="Settlement runner")).to_have_count(1)
    expect(page.locator("[data-row]", has_text="Box office")).to_have_count(0)
    page.screenshot(path=pictures / "catalog-1440.png")
    page.goto(page.url.partition("/catalog")[0] + PAYMENTS)
    expect(page.get_by_role("heading", level=1)).to_have_text("Payments")
    expect(
        page.locator("#entity-head").get_by_role("link", name="Money")
    ).to_be_visible()
    page.screenshot(path=pictures / "entity-1440.png")
    page.get_by_role("link", name="Read the docs").click()
    page.get_by_label("Pages of Payments").get_by_text("Refunds").click()
    page.wait_for_url("**/refunds/")
    expect(page.locator(".docs-article h1")).to_contain_text("Refund")
    page.screenshot(path=pictures / "docs-1440.png")
    page.get_by_label("Search everything").fill("settlement")
    page.locator("#suggestions [role=option]").first.wait_for()
    page.get_by_label("Search everything").press("Enter")
    page.wait_for_url("**/search?query=settlement")
    page.get_by_role("link", name="Settlement runner").first.wait_for()
    page.screenshot(path=pictures / "search-1440.png")


def test_a_user_signs_in_and_sees_the_home_page(opened: Open, pictures: Path) -> None:
    """The user is chosen at the development sign-in, which a banner explains."""
    page = opened("/", None, size=NARROW)
    page.get_by_label("Find a person").press_sequentially("okafor")
    expect(page.locator("#people li")).to_have_count(1)
    page.screenshot(path=pictures / "sign-in-390.png")
    page.get_by_role("button", name="Ann Okafor").click()
    page.wait_for_url(re.compile(r"^http://[^/]+/$"))
    expect(page.get_by_text("Development sign-in")).to_be_visible()
    expect(page.get_by_label("Ann Okafor: settings and sign-out")).to_be_visible()
    expect(page.get_by_text("Box office").first).to_be_visible()
    page.screenshot(path=pictures / "home-390.png", full_page=True)


def test_a_push_changes_the_open_page(
    opened: Open, system: Portal, pictures: Path
) -> None:
    """The page changes by itself, search finds the change, the activity shows it."""
    fresh = word()
    copy = working_copy(system, "payments")
    who = copy.git("config", "user.name")
    page = listening(opened(PAYMENTS, ANN))
    before = str(system.known("component:default/payments")["metadata"]["description"])
    after = f"Authorises, captures and refunds payments ({fresh})"
    files = replaced(copy, "catalog-info.yaml", before, after)
    push(copy, files, f"Say {fresh}")
    lead = page.locator("#entity-head .lead", has_text=fresh)
    measured("push → open page", lead.wait_for, CHANGED_SECONDS)
    page.get_by_text(f"by {who}: Say {fresh}").wait_for()
    page.locator("#latest", has_text=f"Say {fresh}").wait_for()
    page.screenshot(path=pictures / "entity-changed-1440.png")
    assert page.evaluate("document.body.dataset.kept") == "yes"
    measured("… → search", lambda: found(system, fresh), CHANGED_SECONDS)
    page.goto(f"{system.url}/search?query={fresh}")
    page.get_by_role("link", name="Payments", exact=True).first.wait_for()
    page.goto(f"{system.url}{PAYMENTS}/activity")
    newest = page.locator("#activity .moment").first
    expect(newest).to_contain_text(f"Say {fresh}")
    expect(newest).to_contain_text(who)
    newest.locator("summary").click()
    expect(newest.locator("details")).to_contain_text(fresh)
    page.screenshot(path=pictures / "activity-1440.png")


def test_a_push_to_the_docs_rebuilds_the_open_page(
    opened: Open, system: Portal, pictures: Path
) -> None:
    """The site is built again, and the open page shows it."""
    fresh = word()
    copy = working_copy(system, "payments")
    page = listening(opened(DOCS, ANN))
    text = f"{copy.read('docs/index.md')}\n\n## About {fresh}\n\nJust written.\n"
    push(copy, {"docs/index.md": text}, f"Explain {fresh}")
    heading = page.locator(".docs-article h2", has_text=fresh)
    measured("push → open docs", heading.wait_for, BUILT_SECONDS)
    page.locator("#docs-source", has_text=copy.git("rev-parse", "HEAD")[:8]).wait_for()
    heading.scroll_into_view_if_needed()
    page.screenshot(path=pictures / "docs-changed-1440.png")
    assert page.evaluate("document.body.dataset.kept") == "yes"
    measured("… → search", lambda: found(system, fresh), CHANGED_SECONDS)


def test_the_docs_lead_to_their_files(opened: Open, system: Portal) -> None:
    """The navigation and the text open a page of HTML; a sound can be played."""
    copy = working_copy(system, "payments")
    fresh = word()
    config = copy.read("mkdocs.yml").replace("nav:\n", "nav:\n  - M: m/index.html\n")
    text = (
        f'# {fresh}\n\n[Classes](m/index.html)\n\n<audio src="a.wav"></audio>\n\n'
        "<iframe></iframe>\n"
    )
    page = listening(opened(DOCS, ANN))
    files = {
        "mkdocs.yml": config,
        "docs/index.md": text,
        "docs/m/index.html": f"<h1>{fresh} of HTML</h1>"
        "<script>document.title='x'</script>",
        "docs/a.wav": sound(),
    }
    push(copy, files, f"Bring files {fresh}")
    page.locator(".docs-article h1", has_text=fresh).wait_for(timeout=60_000)
    expect(page.locator("#docs-warnings")).to_contain_text("<iframe>")
    audio = page.locator(".docs-article audio")
    expect(audio).to_have_js_property("duration", 1)
    for link in (".docs-nav >> text=M", ".docs-article >> text=Classes"):
        page.locator(link).first.click()
        page.wait_for_url("**/docs/default/component/payments/m/")
        expect(page.locator(".docs-article h1")).to_have_text(f"{fresh} of HTML")
        expect(page).not_to_have_title("x")
        page.go_back()
    copy.git("revert", "--no-edit", "HEAD")
    copy.git("push", "--quiet", "origin", "HEAD:main")


def sound() -> bytes:
    """One second of silence."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(8000)
        writer.writeframes(b"\x80" * 8000)
    return stream.getvalue()


def test_a_template_creates_a_service(
    opened: Open, system: Portal, pictures: Path
) -> None:
    """Form, run, log; a repository, and its component in catalog, search and docs."""
    name = f"aisle-{secrets.token_hex(3)}"
    page = opened("/create", BEN)
    page.get_by_role("link", name="Python service").first.click()
    fill_in(page, name, pictures)
    page.get_by_role("button", name="Create").click()
    page.wait_for_url("**/create/tasks/*")
    link = page.get_by_role("link", name="Open in the catalog")
    link.wait_for()
    expect(page.locator(".run-steps .is-completed")).to_have_count(3)
    expect(page.locator("#run-log")).to_contain_text(f"Creating the repository {name}")
    page.screenshot(path=pictures / "run-1440.png")
    assert (system.data / "git" / f"{name}.git" / "HEAD").is_file()
    ref = f"component:default/{name}"
    eventually(lambda: system.known(ref), f"{ref} is discovered")
    link.click()
    page.wait_for_url(f"**/catalog/default/component/{name}")
    expect(page.locator("#entity-head")).to_contain_text("Finds the way to a seat")
    page.screenshot(path=pictures / "created-1440.png")
    found(system, name)
    eventually(lambda: documented(system, name), f"the docs of {name}")


def documented(system: Portal, name: str) -> bool:
    """Whether a component's documentation can be read."""
    path = f"/api/techdocs/metadata/techdocs/default/component/{name}"
    return system.as_(ANN).get(path).status_code == 200


def choose(page: Any, field: str, label: str) -> None:
    """Takes a choice of a combobox by the keyboard."""
    box = page.get_by_role("combobox", name=field)
    box.press_sequentially(label[:4])
    page.get_by_role("option", name=label).first.wait_for()
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value(label)


def fill_in(page: Any, name: str, pictures: Path) -> None:
    """The answers; one is wrong at first, and said to be so at its field."""
    page.get_by_label("Name").fill("Not A Name")
    page.get_by_label("Description").fill("Finds the way to a seat")
    choose(page, "Owner", "Money")
    page.get_by_role("button", name="Next").click()
    page.locator("#f-name-error").wait_for()
    page.screenshot(path=pictures / "form-wrong-1440.png")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Next").click()
    choose(page, "System", "Payments")
    page.get_by_role("button", name="Review").click()
    page.get_by_role("heading", name="Where it belongs").wait_for()
    expect(page.get_by_text("Finds the way to a seat")).to_be_visible()
    page.screenshot(path=pictures / "review-1440.png")


def test_the_portal_works_by_keyboard(opened: Open) -> None:
    """Skip link, `g c`, rows by `j` and Enter, `/` and a suggestion."""
    page = opened("/", ANN)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**#content")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/catalog")
    page.keyboard.press("j")
    href = page.evaluate("document.activeElement.getAttribute('href')")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{href}")
    page.keyboard.press("/")
    page.keyboard.type("seat ma")
    first = page.locator("#suggestion-1")
    # Not those that the first letters found: what is walked is not swapped any more.
    expect(first).to_have_attribute("href", re.compile("seat-map"))
    page.keyboard.press("ArrowDown")
    expect(first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url("**/catalog/default/*/seat-map*")


def test_reading_works_without_scripts(opened: Open, pictures: Path) -> None:
    """Filters, entity, docs and search are forms and links."""
    page = opened("/catalog", None, java_script_enabled=False)
    page.get_by_role("button", name="Continue as a guest").click()
    page.get_by_label("Filter by name or description").fill("settlement")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="Settlement runner").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Settlement runner")
    page.locator("#search").fill("refund")
    page.locator("#search").press("Enter")
    expect(page.locator(".result").first).to_be_visible()
    page.get_by_label("Portal", exact=True).get_by_text("Docs").click()
    page.get_by_role("link", name="Engineering handbook").first.click()
    expect(page.locator(".docs-article h1")).to_have_count(1)
    page.screenshot(path=pictures / "docs-without-scripts-1440.png")
