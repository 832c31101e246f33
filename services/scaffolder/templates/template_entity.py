"""Template entities: what makes one valid, its form, and the frozen spec of a run.

Rules: `scaffolder.backstage.io/v1beta3` (Backstage's "Writing Templates").
"""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from services.scaffolder.model import (
    START_OVER,
    Answers,
    JsonObject,
    RunSpec,
    RunUser,
    Schema,
    TemplateStep,
)
from services.scaffolder.templates import schema_checks
from shared.contracts.annotations import MANAGED_BY_LOCATION, SOURCE_LOCATION
from shared.contracts.entity import Entity, mapping_of, text_of
from shared.contracts.errors import Invalid

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
_LABELS = ("backButtonText", "createButtonText", "reviewButtonText")
_PRESENTATION = {
    "type": "object",
    "properties": {
        "buttonLabels": {
            "type": "object",
            "properties": {name: {"type": "string"} for name in _LABELS},
        }
    },
}
_RECOVERY = {
    "type": "object",
    "properties": {"EXPERIMENTAL_strategy": {"enum": ["none", START_OVER]}},
}
_DECORATORS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["id"],
        "properties": {"id": _TEXT, "input": {"type": "object"}},
    },
}
#: As `services/catalog/descriptor/builtin_kinds/template.yaml` has it: a template that
#: could not run does not get into the catalog.
SCHEMA = {
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
                "lifecycle": {"type": "string"},
                "parameters": {
                    "anyOf": [
                        {"type": "object"},
                        {"type": "array", "items": {"type": "object"}},
                    ]
                },
                "secrets": {
                    "type": "object",
                    "properties": {"schema": {"type": "object"}},
                },
                "presentation": _PRESENTATION,
                "formDecorators": _DECORATORS,
                "EXPERIMENTAL_formDecorators": _DECORATORS,
                "EXPERIMENTAL_recovery": _RECOVERY,
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
    """Check that a JSON value is a template entity.

    Raises:
        Invalid: naming the field and the rule.
    """
    problems = schema_checks.problems(SCHEMA, template)
    if problems:
        first = problems[0]
        place = first["property"].removeprefix("instance").lstrip(".") or "template"
        raise Invalid(f"{place}: {first['message']}")


def repeated_ids(steps: Sequence[TemplateStep]) -> list[str]:
    """The ids that several steps have, in the order of the steps."""
    counts = Counter(step["id"] for step in steps)
    return [step_id for step_id, count in counts.items() if count > 1]


def repeated_id_warning(step_id: str) -> str:
    """The warning of steps that share an id."""
    return (
        f"Several steps have the id {step_id!r}: expressions see the output of the "
        "last of them that has run"
    )


def pages(template: Entity) -> list[Schema]:
    """The form's pages."""
    parameters = template.spec.get("parameters") or []
    return list(parameters) if isinstance(parameters, list) else [parameters]


def form(template: Entity) -> JsonObject:
    """The form of a template, as `parameter-schema` answers it."""
    metadata, spec = template.metadata, template.spec
    answer: JsonObject = {"title": metadata.get("title") or metadata["name"]}
    optional = {
        "presentation": spec.get("presentation"),
        "description": metadata.get("description"),
        "ui:options": metadata.get("ui:options"),
    }
    answer |= {key: value for key, value in optional.items() if value}
    steps = []
    for page in pages(template):
        step = {"title": page.get("title") or _UNTITLED, "schema": page}
        if page.get("description"):
            step["description"] = page["description"]
        steps.append(step)
    answer["steps"] = steps
    decorators = spec.get("formDecorators") or spec.get("EXPERIMENTAL_formDecorators")
    if decorators:
        answer["EXPERIMENTAL_formDecorators"] = decorators
        answer["formDecorators"] = decorators
    return answer


def parameter_problems(
    template: Entity, values: Answers
) -> list[schema_checks.SchemaProblem]:
    """The rules that the answers break, of the first page that refuses them."""
    for page in pages(template):
        problems = schema_checks.problems(page, values)
        if problems:
            return problems
    return []


def secret_problems(
    template: Entity, secrets: Mapping[str, str]
) -> list[schema_checks.SchemaProblem]:
    """The rules that the secrets break; no problem repeats a secret."""
    schema = (template.spec.get("secrets") or {}).get("schema")
    if not schema:
        return []
    problems = schema_checks.problems(schema, dict(secrets))
    for problem in problems:
        problem.pop("instance", None)
        problem.pop("schema", None)
    return problems


def numbered_steps(template: Entity) -> list[TemplateStep]:
    """The steps, each with an id and a name."""
    steps: list[TemplateStep] = list(template.spec["steps"])
    return [
        {
            **step,
            "id": step.get("id") or f"step-{number}",
            "name": step.get("name") or step["action"],
        }
        for number, step in enumerate(steps, 1)
    ]


def base_url(template: Entity) -> str | None:
    """The address of the template's file, which its relative URLs start from.

    A `file:` location counts only if the catalog itself read the entity from there: an
    author's annotation must not open files of the machine.
    """
    read_from = text_of(template.annotations.get(MANAGED_BY_LOCATION))
    source = text_of(template.annotations.get(SOURCE_LOCATION)) or read_from
    for place in (source, read_from):
        kind, _, target = place.partition(":")
        if kind == "url" and target:
            return target
        if kind == "file" and target and read_from.startswith("file:"):
            return f"file://{target}"
    return None


def frozen_spec(
    template: Entity,
    values: Answers,
    user: RunUser,
) -> RunSpec:
    """The spec of a run: a copy that later changes of the template do not touch."""
    spec = template.spec
    frozen: RunSpec = {
        "apiVersion": template.raw["apiVersion"],
        "steps": numbered_steps(template),
        "output": spec.get("output") or {},
        "parameters": dict(values),
        "user": user,
        "templateInfo": {
            "entityRef": str(template.ref),
            "entity": {"metadata": template.metadata},
        },
    }
    url = base_url(template)
    if url is not None:
        frozen["templateInfo"]["baseUrl"] = url
    recovery = spec.get("EXPERIMENTAL_recovery")
    if recovery:
        frozen["EXPERIMENTAL_recovery"] = recovery
    return copy.deepcopy(frozen)


def starts_over(spec: RunSpec) -> bool:
    """Whether a run that is tried again begins at its first step."""
    recovery = mapping_of(spec.get("EXPERIMENTAL_recovery"))
    return recovery.get("EXPERIMENTAL_strategy") == START_OVER
