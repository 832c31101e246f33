"""Template entities: what makes one valid, its form, and the frozen spec of a run.

Rules: `scaffolder.backstage.io/v1beta3` (Backstage's "Writing Templates").
"""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from services.scaffolder.model import START_OVER
from services.scaffolder.templates import schema_checks
from shared.contracts.annotations import MANAGED_BY_LOCATION, SOURCE_LOCATION
from shared.contracts.errors import Invalid
from shared.contracts.ref import ref_of

API_VERSION = "scaffolder.backstage.io/v1beta3"
_UNTITLED = "Please enter the following information"
_STEPS_LIMIT = 500
_TEXT = {"type": "string", "minLength": 1}
_STEP = {
    "type": "object",
    "required": ["action"],
    "properties": {
        "id": _TEXT,
        "name": _TEXT,
        "action": _TEXT,
        "input": {"type": "object"},
        "if": {"type": ["string", "boolean"]},
        "each": {"type": ["string", "array", "object"]},
    },
}
_SCHEMA = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"enum": [API_VERSION]},
        "kind": {"enum": ["Template"]},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object",
            "required": ["type", "steps"],
            "properties": {
                "type": _TEXT,
                "owner": _TEXT,
                "parameters": {
                    "anyOf": [
                        {"type": "object"},
                        {"type": "array", "items": {"type": "object"}},
                    ]
                },
                "steps": {
                    "type": "array",
                    "items": _STEP,
                    "minItems": 1,
                    "maxItems": _STEPS_LIMIT,
                },
                "output": {
                    "type": "object",
                    "properties": {
                        "links": {"type": "array", "items": {"type": "object"}},
                        "text": {"type": "array", "items": {"type": "object"}},
                    },
                    "additionalProperties": {"type": "string"},
                },
            },
        },
    },
}


def check(template: Any) -> None:
    """Check that `template` is a template entity.

    Raises:
        Invalid: naming the field and the rule.
    """
    found = schema_checks.problems(_SCHEMA, template)
    if found:
        first = found[0]
        place = first["property"].removeprefix("instance").lstrip(".") or "template"
        raise Invalid(f"{place}: {first['message']}")


def repeated_ids(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids that several steps have, in the order of the steps."""
    counts = Counter(step["id"] for step in steps)
    return [step_id for step_id, count in counts.items() if count > 1]


def repeated_id_warning(step_id: str) -> str:
    """What an author should know about steps that share an id."""
    return (
        f"Several steps have the id {step_id!r}: expressions see the output of the "
        "last of them that has run"
    )


def pages(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The form's pages, each a JSON Schema."""
    given = template["spec"].get("parameters") or []
    return list(given) if isinstance(given, list) else [given]


def form(template: Mapping[str, Any]) -> dict[str, Any]:
    """The form of a template, as `parameter-schema` answers it."""
    metadata, spec = template["metadata"], template["spec"]
    made: dict[str, Any] = {"title": metadata.get("title") or metadata["name"]}
    given = {
        "presentation": spec.get("presentation"),
        "description": metadata.get("description"),
        "ui:options": metadata.get("ui:options"),
    }
    made |= {key: value for key, value in given.items() if value}
    steps = []
    for page in pages(template):
        step = {"title": page.get("title") or _UNTITLED, "schema": page}
        if page.get("description"):
            step["description"] = page["description"]
        steps.append(step)
    made["steps"] = steps
    decorators = spec.get("formDecorators") or spec.get("EXPERIMENTAL_formDecorators")
    if decorators:
        made["EXPERIMENTAL_formDecorators"] = decorators
        made["formDecorators"] = decorators
    return made


def parameter_problems(
    template: Mapping[str, Any], values: Mapping[str, Any]
) -> list[schema_checks.Problem]:
    """What is wrong with the values, of the first page that does not accept them."""
    for page in pages(template):
        found = schema_checks.problems(page, values)
        if found:
            return found
    return []


def secret_problems(
    template: Mapping[str, Any], secrets: Mapping[str, str]
) -> list[schema_checks.Problem]:
    """What is wrong with the secrets; the answer repeats none of them."""
    schema = (template["spec"].get("secrets") or {}).get("schema")
    if not schema:
        return []
    found = schema_checks.problems(schema, dict(secrets))
    hidden = ("instance", "schema")
    return [
        {key: value for key, value in problem.items() if key not in hidden}
        for problem in found
    ]


def numbered_steps(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps, each with an id and a name."""
    return [
        {
            **step,
            "id": step.get("id") or f"step-{number}",
            "name": step.get("name") or step["action"],
        }
        for number, step in enumerate(spec["steps"], 1)
    ]


def base_url(template: Mapping[str, Any]) -> str | None:
    """Where the template lies: its own relative URLs are relative to this.

    A `file:` place counts only if the catalog itself read the entity from there: an
    author's annotation must not open the machine's files.
    """
    annotations = template["metadata"].get("annotations") or {}
    read_from = str(annotations.get(MANAGED_BY_LOCATION) or "")
    source = str(annotations.get(SOURCE_LOCATION) or read_from)
    for place in (source, read_from):
        kind, _, target = place.partition(":")
        if kind == "url" and target:
            return target
        if kind == "file" and target and read_from.startswith("file:"):
            return f"file://{target}"
    return None


def frozen_spec(
    template: Mapping[str, Any],
    values: Mapping[str, Any],
    user: Mapping[str, Any],
) -> dict[str, Any]:
    """The spec of a run: a copy that later changes of the template do not touch."""
    spec = template["spec"]
    made = {
        "apiVersion": template["apiVersion"],
        "steps": numbered_steps(spec),
        "output": spec.get("output") or {},
        "parameters": dict(values),
        "user": dict(user),
        "templateInfo": {
            "entityRef": str(ref_of(template)),
            "entity": {"metadata": template["metadata"]},
        },
    }
    place = base_url(template)
    if place is not None:
        made["templateInfo"]["baseUrl"] = place
    recovery = spec.get("EXPERIMENTAL_recovery")
    if recovery:
        made["EXPERIMENTAL_recovery"] = recovery
    return copy.deepcopy(made)


def starts_over(spec: Mapping[str, Any]) -> bool:
    """Whether a run that is tried again begins at its first step."""
    recovery = spec.get("EXPERIMENTAL_recovery") or {}
    return recovery.get("EXPERIMENTAL_strategy") == START_OVER
