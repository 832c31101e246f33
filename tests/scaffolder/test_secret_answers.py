"""Answers that a form asks for as secrets: recognised, counted, never repeated."""

from typing import Any

import pytest

from services.scaffolder.secrets.hidden_answers import masked, secret_names
from tests.builders import template
from tests.scaffolder.calls import create, messages, say, wait_for_status
from tests.scaffolder.secret_flows import PAGES, SECRET, shown_nowhere


@pytest.mark.parametrize("path", ["/v2/tasks", "/v2/dry-run"])
async def test_an_error_does_not_repeat_a_secret_answer(
    start: Any, catalog: Any, ann: Any, path: str
) -> None:
    """The error names the wrong field and leaves its secret value out."""
    page = {
        "properties": {
            "pin": {"type": "string", "ui:field": "Secret", "maxLength": 4},
            "pins": {
                "type": "array",
                "items": {"ui:widget": "password", "format": "x"},
            },
        },
        "additionalProperties": False,
    }
    entity = template("t", parameters=[page])
    catalog.add(entity)
    values = {"pin": SECRET, "pins": [SECRET]}
    own: Any = {"templateRef": "template:default/t", "values": values}
    if path == "/v2/dry-run":
        own = {"template": entity, "values": values, "directoryContents": []}
    async with start() as client:
        answer = await client.post(path, json=own, headers=ann)
    assert answer.status_code == 400
    assert "maximum length" in answer.text
    shown_nowhere(answer.text)


def test_secret_answers_are_recognised_in_any_schema() -> None:
    """In objects, lists, branches and behind references, by either hint."""
    page = {
        "properties": {
            "a": {"ui:field": "Secret"},
            "b": {"items": {"ui:options": {"widget": "password"}}},
            "c": {"properties": {"d": {"ui:widget": "password"}}},
            "e": {"type": "string"},
            "g": {"$ref": "#/definitions/a~1b"},
        },
        "definitions": {"a/b": {"ui:widget": "password"}},
        "dependencies": {
            "e": {"oneOf": [{"properties": {"f": {"ui:field": "Secret"}}}]}
        },
    }
    values: Any = {"a": "x1", "b": ["y"], "c": {"d": 5}, "e": "z", "f": "****"}
    names = secret_names([page, *PAGES], values)
    assert names == {"a", "b", "d", "f", "g", "pin", "key"}
    assert masked(values, names) == {
        "a": "***",
        "b": "***",
        "c": {"d": "***"},
        "e": "z",
        "f": "****",
    }


@pytest.mark.parametrize(
    "form",
    [
        {"additionalProperties": {"ui:widget": "password"}},
        {"patternProperties": {"^any": {"ui:field": "Secret"}}},
        {"properties": {"anypw": {"$ref": "#/definitions/keys"}}},
    ],
)
async def test_a_password_without_a_property_of_its_own_is_hidden(
    start: Any, catalog: Any, ann: Any, form: Any
) -> None:
    """In the run, its events and its log; the run itself reads it."""
    keys = {"items": {"ui:widget": "password"}}
    page = {**form, "definitions": {"keys": keys}}
    steps = [say("with ${{ parameters.anypw }}"), say("${{ parameters.anypw.length }}")]
    catalog.add(template("t", parameters=page, steps=steps))
    values = {"anypw": "TOPSECRET77"}
    async with start() as client:
        task_id = await create(client, ann, "t", values=values)
        run = await wait_for_status(client, ann, task_id)
        lines = await messages(client, ann, task_id)
    assert run["spec"]["parameters"] == {"anypw": "***"}
    assert "with ***" in lines
    assert "TOPSECRET77" not in "\n".join(lines)


async def test_the_number_of_secrets_is_limited(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Each is searched in every line: more are refused before the run starts."""
    fields = {"keys": {"type": "array", "ui:field": "Secret"}}
    form = [{"title": "P", "properties": fields}]
    catalog.add(template("t", parameters=form))
    many = {f"k{number}": f"secret-{number}" for number in range(101)}
    texts = [f"answer-{number}" for number in range(1_001)]
    ref = {"templateRef": "template:default/t"}
    trial = {"template": template("t"), "values": {}, "directoryContents": []}
    async with start(slots=0) as client:
        refused = [
            await client.post(path, json=body, headers=ann)
            for path, body in (
                ("/v2/tasks", {**ref, "values": {}, "secrets": many}),
                ("/v2/dry-run", {**trial, "secrets": many}),
                ("/v2/tasks", {**ref, "values": {"keys": texts}}),
            )
        ]
        await create(client, ann, "t", values={"keys": texts[:1_000]})
    assert [answer.status_code for answer in refused] == [400] * 3
    log_texts = [answer.json()["error"]["message"] for answer in refused]
    assert log_texts[:2] == ["secrets: over the limit of 100"] * 2
    assert log_texts[2] == "values: at most 1000 texts may be secret answers"
