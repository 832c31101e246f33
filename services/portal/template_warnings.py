"""Warnings about a template: for its author, and for whoever runs it.

Its card, page and form show them; a template with warnings can be run all the same.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.portal.forms.fields import KNOWN_FIELDS
from services.portal.visit import Visit
from shared.contracts.entity import Entity, list_of, mapping_of
from shared.contracts.errors import Invalid

ACTIONS = "/api/scaffolder/v2/actions"
CHECKS = "/api/scaffolder/v2/template-checks"
_DEPTH = 40
_MOST = 20
#: The name of a part of a schema that is about no single answer.
_NAMELESS = "an answer"


class FaultyTemplate(Invalid):
    """A template that cannot be run until its file is corrected."""

    def __init__(self, ref: str, message: str) -> None:
        super().__init__(message)
        self.ref = ref


@dataclass(frozen=True, slots=True)
class ExpressionWarning:
    """An expression of a template that the scaffolder cannot evaluate."""

    step: str
    message: str

    @property
    def place(self) -> str:
        """The step that it stands in, or the output, for a card."""
        return f"step {self.step}" if self.step else "the output"


@dataclass(frozen=True, slots=True)
class TemplateWarning:
    """A warning as a sentence, with the names that it is about where it has several."""

    text: str
    names: Sequence[str] = ()


async def expression_errors(
    visit: Visit, templates: Sequence[Entity]
) -> list[list[ExpressionWarning]]:
    """What cannot work in each template; [] if the scaffolder does not answer."""
    specs = [_rendered_parts(template) for template in templates]
    if not any(specs):
        return [[] for _ in templates]
    answer = await visit.ask("POST", CHECKS, json={"specs": specs}, is_secondary=True)
    body = mapping_of(answer.json() if answer.ok else None)
    errors = [_errors_in(item) for item in list_of(body.get("items"))[: len(specs)]]
    return errors + [[] for _ in range(len(specs) - len(errors))]


def _rendered_parts(template: Entity) -> dict[str, Any]:
    spec = template.spec
    return {key: spec[key] for key in ("steps", "output") if spec.get(key)}


def _errors_in(item: Any) -> list[ExpressionWarning]:
    errors = item.get("expressionErrors") if isinstance(item, Mapping) else None
    return [
        ExpressionWarning(str(error.get("step") or ""), str(error.get("message") or ""))
        for error in (errors if isinstance(errors, list) else ())
        if isinstance(error, Mapping)
    ]


async def installed_actions(visit: Visit) -> frozenset[str] | None:
    """The ids of the installed actions; None if the scaffolder does not answer."""
    answer = await visit.ask("GET", ACTIONS, is_secondary=True)
    actions = answer.json() if answer.ok else None
    if not isinstance(actions, list):
        return None
    return frozenset(
        str(action.get("id")) for action in actions if isinstance(action, Mapping)
    )


#: The condition of a step that is skipped in every run, beside YAML's own `false`.
_NEVER = re.compile(r"\$\{\{-?\s*false\s*-?\}\}")


def missing_actions(template: Entity, installed: frozenset[str] | None) -> list[str]:
    """The actions of a template's steps that are not installed, in their order."""
    if installed is None:
        return []
    used = dict.fromkeys(
        str(step.get("action") or "") for step in _steps(template) if _may_run(step)
    )
    return [
        name for name in used if name and "${{" not in name and name not in installed
    ]


def _may_run(step: Mapping[str, Any]) -> bool:
    """Whether a step is not skipped in every run."""
    condition = step.get("if")
    is_never = isinstance(condition, str) and _NEVER.fullmatch(condition.strip())
    return condition is not False and not is_never


def warnings_of(
    template: Entity,
    installed: frozenset[str] | None,
    errors: Sequence[ExpressionWarning] = (),
) -> list[TemplateWarning]:
    """All warnings about a template."""
    warnings = _sentences(template, errors)
    return _missing_warnings(missing_actions(template, installed)) + [
        TemplateWarning(text) for text in warnings[:_MOST]
    ]


def _missing_warnings(names: Sequence[str]) -> list[TemplateWarning]:
    """One warning for all actions that are not installed."""
    if len(names) == 1:
        text = f"The action {names[0]} is not installed here: a run fails at its step."
        return [TemplateWarning(text)]
    text = f"{len(names)} actions are not installed here: a run fails at their steps."
    return [TemplateWarning(text, names[:_MOST])] if names else []


def _sentences(template: Entity, errors: Sequence[ExpressionWarning]) -> list[str]:
    warnings = [f"{error.message[:1].upper()}{error.message[1:]}." for error in errors]
    warnings += [
        f"Several steps have the id {step_id}: later steps see the output of the "
        "last of them that has run."
        for step_id in _repeated_ids(template)
    ]
    warnings += dict.fromkeys(
        text
        for name, schema in _schemas(template.spec.get("parameters"), _NAMELESS, 0)
        for text in _unsupported(name, schema)
    )
    warnings += dict.fromkeys(
        f"{part}, whatever the feature flag {flag} says: there are no flags here."
        for part, flag in _flagged_parts(template)
    )
    return warnings


def _steps(template: Entity) -> list[Mapping[str, Any]]:
    steps = list_of(template.spec.get("steps"))
    return [step for step in steps if isinstance(step, Mapping)]


def _repeated_ids(template: Entity) -> list[str]:
    ids = Counter(str(step["id"]) for step in _steps(template) if step.get("id"))
    return [step_id for step_id, count in ids.items() if count > 1]


def _unsupported(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """What the schema of an answer asks of the form in vain."""
    field = schema.get("ui:field")
    as_text = f"The form asks for {name} as plain text"
    if isinstance(field, str) and field not in KNOWN_FIELDS:
        yield f"{as_text}: its field {field} is not known here."
    if schema.get("format") == "data-url":
        yield f"{as_text}: files (data-url) cannot be uploaded here."
    if "requestUserCredentials" in mapping_of(schema.get("ui:options")):
        yield (
            f"The form asks for no credentials of the user with {name}: "
            "requestUserCredentials is not supported here."
        )


def _flagged_parts(template: Entity) -> Iterator[tuple[str, str]]:
    """Each part that Backstage shows or runs by a feature flag, and the flag."""
    parameters = template.spec.get("parameters")
    parts = [
        (f"The page {page.get('title') or number} is always shown", page)
        for number, page in enumerate(list_of(parameters) or [parameters], 1)
        if isinstance(page, Mapping)
    ]
    parts += [
        (f"The form always asks for {name}", schema)
        for name, schema in _schemas(parameters, _NAMELESS, 0)
        if name != _NAMELESS
    ]
    parts += [
        (f"The step {step.get('name') or step.get('id')} is not left out", step)
        for step in _steps(template)
    ]
    for name, part in parts:
        inner = mapping_of(part.get("ui:backstage")).get("featureFlag")
        flag = part.get("backstage:featureFlag") or inner
        if isinstance(flag, str) and flag:
            yield name, flag


def _schemas(
    schema: Any, name: str, depth: int
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All objects in the schema of the form, each with the answer that it is about."""
    if depth > _DEPTH:
        return
    if isinstance(schema, list):
        for part in schema:
            yield from _schemas(part, name, depth + 1)
    if not isinstance(schema, Mapping):
        return
    yield name, schema
    for key, part in schema.items():
        if key == "properties" and isinstance(part, Mapping):
            for property_name, property_schema in part.items():
                yield from _schemas(property_schema, str(property_name), depth + 1)
        elif key != "ui:field":
            yield from _schemas(part, name, depth + 1)
