"""Whose runs a caller may see: the policy's conditions on `scaffolder-task`."""

from typing import Any

import pytest

from services.scaffolder.api.dependencies import creators, initiator_of
from services.scaffolder.model import Initiator
from shared.kit.http.service_tokens import Principal
from tests.builders import template
from tests.scaffolder.calls import create, wait_for_status

ANN, BO, CY = (f"user:default/{name}" for name in ("ann", "bo", "cy"))


def owner(*refs: str) -> dict[str, Any]:
    return {"rule": "IS_TASK_OWNER", "params": {"createdBy": list(refs)}}


def principal(conditions: Any, decision: str = "conditional") -> Principal:
    return Principal(ANN, "user", decision=decision, conditions=conditions)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (owner(ANN), (ANN,)),
        (owner(BO, ANN), (ANN, BO)),
        (owner(), ()),
        ({"rule": "IS_TASK_OWNER"}, ()),
        ({"anyOf": [owner(ANN), owner(BO)]}, (ANN, BO)),
        ({"anyOf": []}, ()),
        ({"allOf": [owner(ANN, BO), owner(BO, CY)]}, (BO,)),
        ({"allOf": [owner(ANN), owner(BO)]}, ()),
        ({"allOf": []}, None),
        ({"anyOf": [owner(ANN), {"allOf": []}]}, None),
        ({"allOf": [{"allOf": []}, owner(CY)]}, (CY,)),
        ({"rule": "NO_SUCH_RULE", "params": {}}, ()),
        ({"anyOf": [owner(ANN), {"rule": "NO_SUCH_RULE"}]}, (ANN,)),
        ({"not": owner(ANN)}, ()),
    ],
)
def test_conditions_select_runs_by_creator(conditions: Any, expected: Any) -> None:
    """An unknown rule shows no runs, never all of them."""
    assert creators(principal(conditions)) == expected


def test_an_unconditional_decision_shows_all_runs() -> None:
    """An unconditional decision of the policy."""
    assert creators(principal(None, "allow")) is None
    assert creators(principal(owner(BO), "allow")) is None


def test_a_run_of_a_service_has_no_user() -> None:
    """A run of a program acts for no user."""
    assert initiator_of(Principal(ANN, "user")) == Initiator(ANN)
    program = Principal("service:ci", "service")
    assert initiator_of(program) == Initiator("service:ci", is_user=False)


async def test_a_run_of_another_user_is_answered_as_missing(
    start: Any, catalog: Any, principal_headers: Any
) -> None:
    """On every route of a run; a list leaves it out."""
    catalog.add(template("t"))
    ann = principal_headers()
    bo = principal_headers(subject=BO, conditions=owner(BO))
    async with start() as client:
        task_id = await create(client, ann, "t")
        await wait_for_status(client, ann, task_id)
        for method, path in (
            ("GET", ""), ("GET", "/events"), ("GET", "/eventstream"),
            ("POST", "/cancel"),
        ):  # fmt: skip
            answer = await client.request(
                method, f"/v2/tasks/{task_id}{path}", headers=bo
            )
            assert answer.status_code == 404, path
            assert (
                answer.json()["error"]["message"]
                == f"No task with id '{task_id}' found"
            )
        listed = await client.get("/v2/tasks", headers=bo)
        chosen = await client.get(f"/v2/tasks?createdBy={ANN}", headers=bo)
    assert listed.json()["totalTasks"] == chosen.json()["totalTasks"] == 0
