"""Rounds of `each`: which of them run, and what the steps after them see."""

from typing import Any

import pytest

from tests.builders import template
from tests.scaffolder.calls import create, messages, say, step, wait_for_status

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
        run = await wait_for_status(client, ann, task_id)
        return run, await messages(client, ann, task_id)


def visit(condition: str, shops: Any = "${{ parameters.shops }}") -> dict[str, Any]:
    message = "at ${{ each.value.name }}"
    return say(message, "visit", each=shops, **{"if": condition})


async def test_each_iteration_evaluates_its_own_condition(
    start: Any, catalog: Any, ann: Any
) -> None:
    """An `if` on the item skips that iteration alone, and the log says which."""
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


async def test_outputs_hold_completed_iterations_only(
    start: Any, catalog: Any, ann: Any
) -> None:
    """A skipped iteration leaves no gap in the lists."""
    look = step("fs:readdir", "look", paths=["."], each="${{ parameters.shops }}")
    look["if"] = "${{ each.value.open }}"
    steps = [look, say("${{ steps.look.output.files | length }} looks")]
    _, log_texts = await ran(start, catalog, ann, steps, shops=SHOPS)
    assert "2 looks" in log_texts


async def test_iterations_over_an_object_have_key_and_value(
    start: Any, catalog: Any, ann: Any
) -> None:
    """In the object's order."""
    branches = {"north": 1, "south": 2}
    steps = [say("${{ each.key }}=${{ each.value }}", "s", each=branches)]
    steps[0]["if"] = "${{ each.key !== 'north' }}"
    _, log_texts = await ran(start, catalog, ann, steps)
    assert "south=2" in log_texts
    assert "north=1" not in log_texts


async def test_a_condition_without_the_item_skips_the_step(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Such a step need not have anything to iterate over."""
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
async def test_iterations_after_a_failure_need_always_or_failure(
    start: Any, catalog: Any, ann: Any, condition: str, expected: list[str]
) -> None:
    """`always()` and `failure()` count in an iteration's condition as in a step's."""
    boom = step("fs:delete", "boom", files=["/outside"])
    steps = [boom, visit(condition)]
    run, log_texts = await ran(start, catalog, ann, steps, shops=SHOPS)
    assert run["status"] == "failed"
    assert [line for line in log_texts if line.startswith("at ")] == expected


async def test_each_cannot_iterate_over_a_text(
    start: Any, catalog: Any, ann: Any
) -> None:
    """The error says which type `each` must have."""
    steps = [say("never", "s", each="${{ parameters.text }}")]
    run, log_texts = await ran(start, catalog, ann, steps, text="abc")
    assert run["status"] == "failed"
    rule = "step 's': each: it must be, or render to, an array or an object, not a text"
    assert any(rule in line for line in log_texts)
    assert "never" not in log_texts


async def test_steps_with_one_id_run_and_the_last_output_wins(
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


async def test_steps_with_one_id_keep_separate_state(
    start: Any, catalog: Any, ann: Any
) -> None:
    """A stored value of one step is not taken for that of the other."""
    wait = step("debug:wait", "pause", milliseconds=600)
    run, log_texts = await ran(start, catalog, ann, [wait, wait])
    assert run["status"] == "completed"
    waits = [line for line in log_texts if line.startswith("Waiting for")]
    assert len(waits) == 2
    assert "Waiting for 0 seconds..." not in waits
