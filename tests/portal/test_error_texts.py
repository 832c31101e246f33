"""Errors of sources as pages show them: nothing twice, nothing for programs."""

from typing import Any

import pytest

from services.portal.error_texts import error_advice, error_text
from services.portal.history import changes_of, moment_of
from shared.contracts.entity import Entity, StatusItem
from tests.portal.company import entity
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi

FILE = "url:https://git.playhouse.example/house/blob/main/catalog-info.yaml"
BROKEN = "YAML error: found unexpected end of stream at line 13, column 1"
SINCE = "(since 2026-11-28 17:28 UTC)"
ADVICE = "Correct the file there; what it brought stays as it was until then"
COMPONENT = Entity(entity("Component", "seat-map", {"type": "service"}))


def item_of(message: str, **error: Any) -> StatusItem:
    return StatusItem("t", "error", message, error)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (f"InputError: {FILE}: {BROKEN} {SINCE}. {ADVICE}", BROKEN),
        (f"InputError: {FILE}: it cannot be read", "it cannot be read"),
        ("InputError: component:default/Seat-Map: spec.x: a: b", "spec.x: a: b"),
        (
            "InputError: api:default/x: taken",
            "api:default/x: taken",
        ),
        (
            f"NotFoundError: no file a (b) {SINCE}. See",
            "no file a (b)",
        ),
        ("spec.owner: is required", "spec.owner: is required"),
    ],
)
def test_error_texts_leave_out_what_the_page_shows(message: str, text: str) -> None:
    """The error's name, the file's address, the entity's own name, the time."""
    assert error_text(item_of(message), COMPONENT) == text


def test_errors_of_a_location_keep_addresses_of_other_files() -> None:
    """Its errors may be of all the files that its pattern matches."""
    kind, _, target = FILE.partition(":")
    spec = {"type": kind, "target": target}
    location = Entity(entity("Location", "generated-1", spec))
    own = item_of(f"InputError: {FILE}: {BROKEN} {SINCE}. {ADVICE}")
    assert error_text(own, location) == BROKEN
    other = item_of(f"InputError: {FILE}.bak: {BROKEN}")
    assert error_text(other, location) == f"{FILE}.bak: {BROKEN}"


def test_advice_stays_where_the_page_has_no_link() -> None:
    """A correctable file has its link; a missing address has none."""
    message = f"NotFoundError: gone {SINCE}. See whether it is still there"
    assert error_advice(item_of(message)) == "See whether it is still there."
    assert error_advice(item_of(message, line=3)) == ""
    assert error_advice(item_of("InputError: spec.owner: is required")) == ""


async def test_pages_show_an_error_once(client: Client, api: FakeApi) -> None:
    """The entity's own page, and its owner's home page."""
    error = {"since": "2026-11-28T17:28:00+00:00", "line": 13, "column": 1}
    message = f"InputError: {FILE}: {BROKEN} {SINCE}. {ADVICE}"
    items = [{"level": "error", "message": message, "error": error}]
    api.entities["component:default/basket"]["status"] = {"items": items}
    for path in ("/catalog/default/component/basket", "/"):
        page = (await client().get(path)).text
        assert page.count(BROKEN) == 1
        assert "InputError" not in page
        assert ADVICE not in page
        assert SINCE not in page
        assert 'datetime="2026-11-28T17:28:00+00:00"' in page


ITEM = {"type": "t", "level": "error", "message": "InputError: spec.owner: is required"}
OTHER = {**ITEM, "message": f"InputError: {FILE}: {BROKEN} {SINCE}. {ADVICE}"}


@pytest.mark.parametrize(
    ("before", "after", "label", "lines"),
    [
        (None, [ITEM], "the descriptor has an error", ["spec.owner: is required"]),
        ([ITEM], None, "the error is gone", ["spec.owner: is required"]),
        (
            [ITEM],
            [OTHER],
            "the descriptor has another error",
            ["spec.owner: is required", f"{FILE}: {BROKEN}"],
        ),
    ],
)
def test_a_change_of_errors_is_described_in_words(
    before: object, after: object, label: str, lines: list[str]
) -> None:
    """An error came or went, with its text: no JSON."""
    [change] = changes_of([{"path": "status.items", "before": before, "after": after}])
    assert change.path == label
    assert [line.text for line in change.lines] == lines


def test_generated_fields_have_readable_names() -> None:
    """Others are named by their path, as people write them."""
    origin = "metadata.annotations.backstage.io/managed-by-origin-location"
    own = "metadata.annotations.example.org/tier"
    changed = ["status.items", origin, own, "spec.owner"]
    moment = moment_of({"changed": changed, "diff": []}, {})
    names = ("errors of the descriptor", "registered location", own, "spec.owner")
    assert moment.paths == names
    [change] = changes_of([{"path": origin, "before": "a", "after": "b"}])
    assert change.path == "registered location"
