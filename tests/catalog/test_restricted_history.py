"""An entity that was restricted and is open again: its past shows open states alone."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.kit.http.service_tokens import Principal
from tests import builders
from tests.catalog.running import Running, running, write
from tests.conftest import HIDDEN

HISTORY = "/entities/by-name/component/default/web/history"
STRANGER = Principal(
    "user:default/cy", "user", decision="conditional", conditions={"not": HIDDEN}
)
STATES = [
    ("first", False),
    ("secret-one", True),
    ("secret-two", True),
    ("opened", False),
    ("now", False),
]
OPEN_REVISIONS = [5, 4, 1]


def state(title: str, *, hidden: bool) -> dict[str, Any]:
    marks = {"callboard.dev/visibility": "restricted"} if hidden else {}
    return builders.component("web", {"title": title, "annotations": marks})


@pytest.fixture
async def catalog(database: Any, data: Path) -> AsyncIterator[Running]:
    """One component, in all its states after each other."""
    async with running(database, data) as started:
        for title, hidden in STATES:
            file = write(data, "all.yaml", state(title, hidden=hidden))
            await started.register(file, "?onConflict=refresh")
        yield started


async def test_readers_who_are_no_owners_see_open_states_only(catalog: Running) -> None:
    """The change that opened the entity is hidden too; its owners see everything."""
    answer = await catalog.ask("GET", HISTORY, None, STRANGER)
    items = answer.json()["items"]
    assert [item["revision"] for item in items] == OPEN_REVISIONS
    assert "secret" not in answer.text
    assert answer.json()["totalItems"] == len(OPEN_REVISIONS)
    assert (items[1]["changed"], items[1]["diff"]) == ([], [])
    assert len(await catalog.history("component:default/web")) == len(STATES)


async def test_pages_add_up_to_the_open_states(catalog: Running) -> None:
    """However small: a page of restricted states alone is empty."""
    revisions: list[int] = []
    cursor = ""
    while True:
        path = f"{HISTORY}?limit=1{cursor}"
        page = (await catalog.ask("GET", path, None, STRANGER)).json()
        revisions += [item["revision"] for item in page["items"]]
        if "nextCursor" not in page["pageInfo"]:
            break
        cursor = f"&cursor={page['pageInfo']['nextCursor']}"
    assert revisions == OPEN_REVISIONS


async def test_recent_changes_leave_restricted_states_out(catalog: Running) -> None:
    """Recent changes follow the same rule as the history."""
    await catalog.work.relay.drain()
    recent = await catalog.ask("GET", "/changes", None, STRANGER)
    assert "secret" not in recent.text
    items = [item for item in recent.json()["items"] if item["kind"] != "Location"]
    assert [item["revision"] for item in items] == OPEN_REVISIONS
