"""The problems of Locations with thousands of targets."""

from types import SimpleNamespace
from typing import Any, cast

from services.catalog.ingest.problems import LOCATION_ITEMS, status_item
from services.catalog.model import FileState
from services.catalog.planning import statuses
from shared.contracts.errors import Invalid
from tests.costs import limit_processor_time

PARENT = "location:default/all"


def test_problems_of_many_targets_cost_a_walk_over_them() -> None:
    """Not one over all problems for each target, which held the catalog for minutes."""
    item = status_item(Invalid("wrong"))
    targets = [f"url:https://git.example/{number}" for number in range(10_000)]
    states = {
        (PARENT, target): FileState(PARENT, target, digest=None, errors=(item,) * 20)
        for target in targets
    }
    view = SimpleNamespace(
        is_restricted=lambda _: False,
        emitted=lambda *_: (),
        providing_location=lambda _: "",
        parents=lambda _: (),
    )
    outcome = SimpleNamespace(following_states=states, locations=set())
    with limit_processor_time(0.5):
        items = statuses._location_items(cast(Any, view), cast(Any, outcome))[PARENT]
    assert len(items) == LOCATION_ITEMS + 1
    assert items[-1]["message"].endswith(
        f"and {200_000 - LOCATION_ITEMS:,} more errors"
    )
