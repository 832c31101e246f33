"""Rounds of `each`: which of them run, and what the steps after them see."""

from typing import Any

import pytest

from tests.builders import template
from tests.scaffolder.calls import create, messages, reached, say, step

SHOPS = [
    {"name": "baker", "open": True},
    {"name": "tailor", "open": False},
    {"name": "cobbler", "open": True},
]


async def ran(start: Any, catalog: Any, ann: Any, steps: Any, **values: Any) -> Any:
    """The run of these steps, and what it said."""
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t", values=values)
        run = await reached(client, ann, task_id)
        return run, await messages(client, ann, task_id)


def visit(condition: str, shops: Any = "${{ parameters.shops }}") -> dict[str, Any]:
    message = "at ${{ each.value.name }}"
    return say(message, "visit", each=shops, **{"if": condition})


async def test_every_round_decides_for_itself(
    start: Any, catalog: Any, ann: Any
) -> None:
    """An `if` on the round skips that round alone, and says which."""
    steps = [visit("${{ each.value.open }}"), say("after")]
    run, log_texts = await ran(start, catalog, ann, steps, shops=SHOPS)
    assert run["status"] == "completed"
    assert [line for line in log_texts if line.startswith("at ")] == [
        "at baker",
        "at cobbler",
    ]
    skipped = [line for line in log_texts if line.startswith("Skipping step each: ")]
    assert skipped == [
        'Skipping step each: {"key":"1","value":{"name":"tailor","open":false}}'
    ]
    assert log_texts.count("after") == 1


async def test_outputs_hold_the_rounds_that_ran(
    start: Any, catalog: Any, ann: Any
) -> None:
    """A skipped round leaves no gap in the lists."""
    look = step("fs:readdir", "look", paths=["."], each="${{ parameters.shops }}")
    look["if"] = "${{ each.value.open }}"
    steps = [look, say("${{ steps.look.output.files | length }} looks")]
    _, log_texts = await ran(start, catalog, ann, steps, shops=SHOPS)
    assert "2 looks" in log_texts


async def test_rounds_of_an_object_decide_by_key(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Members come as key and value, in their order."""
    branches = {"north": 1, "south": 2}
    steps = [say("${{ each.key }}=${{ each.value }}", "s", each=branches)]
    steps[0]["if"] = "${{ each.key !== 'north' }}"
    _, log_texts = await ran(start, catalog, ann, steps)
    assert "south=2" in log_texts
    assert "north=1" not in log_texts


async def test_a_condition_without_the_round_skips_the_step(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Such a step need not even have something to go through."""
    steps = [visit("${{ parameters.wanted }}", shops="${{ parameters.nothing }}")]
    run, log_texts = await ran(start, catalog, ann, steps)
    assert run["status"] == "completed"
    assert "Skipping step visit because its if condition was false" in log_texts


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("${{ each.value.open }}", []),
        ("${{ failure() and each.value.open }}", ["at baker", "at cobbler"]),
        ("${{ each.value.open and always() }}", ["at baker", "at cobbler"]),
    ],
)
async def test_rounds_after_a_failure_run_only_if_they_ask(
    start: Any, catalog: Any, ann: Any, condition: str, expected: list[str]
) -> None:
    """`always()` and `failure()` count in a round's condition as in a step's."""
    boom = step("fs:delete", "boom", files=["/outside"])
    steps = [boom, visit(condition)]
    run, log_texts = await ran(start, catalog, ann, steps, shops=SHOPS)
    assert run["status"] == "failed"
    assert [line for line in log_texts if line.startswith("at ")] == expected


async def test_a_text_is_nothing_to_go_through(
    start: Any, catalog: Any, ann: Any
) -> None:
    """The error says what `each` must be."""
    steps = [say("never", "s", each="${{ parameters.text }}")]
    run, log_texts = await ran(start, catalog, ann, steps, text="abc")
    assert run["status"] == "failed"
    rule = "step 's': each: it must be, or render to, an array or an object, not a text"
    assert any(rule in line for line in log_texts)
    assert "never" not in log_texts


async def test_steps_that_share_an_id_run_and_the_later_output_wins(
    start: Any, catalog: Any, ann: Any
) -> None:
    """The form opens, the run completes, and the log warns of it."""
    steps = [
        step("fs:readdir", "twin", paths=["."]),
        step("catalog:write", "w", entity={"a": 1}),
        step("fs:readdir", "twin", paths=["."]),
        say("saw ${{ steps.twin.output.files | length }}"),
    ]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        form = await client.get(
            "/v2/templates/default/template/t/parameter-schema", headers=ann
        )
    run, log_texts = await ran(start, catalog, ann, steps)
    assert form.status_code == 200, form.text
    assert run["status"] == "completed"
    assert "saw 1" in log_texts
    assert any("Several steps have the id 'twin'" in line for line in log_texts)


async def test_steps_that_share_an_id_wait_each_for_themselves(
    start: Any, catalog: Any, ann: Any
) -> None:
    """What one remembered is not taken for what the other remembered."""
    wait = step("debug:wait", "pause", milliseconds=600)
    run, log_texts = await ran(start, catalog, ann, [wait, wait])
    assert run["status"] == "completed"
    waits = [line for line in log_texts if line.startswith("Waiting for")]
    assert len(waits) == 2
    assert "Waiting for 0 seconds..." not in waits
