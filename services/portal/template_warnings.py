"""What an author and a user of a template should know before it is run.

Told on its card, its page and its form; none of it keeps anybody from running it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.portal.entities import Entity
from services.portal.forms.fields import KNOWN_FIELDS
from services.portal.visit import Visit

ACTIONS = "/api/scaffolder/v2/actions"
CHECKS = "/api/scaffolder/v2/template-checks"
_DEPTH = 40
_MOST = 20


@dataclass(frozen=True, slots=True)
class ExpressionWarning:
    """An expression of a template that the scaffolder cannot parse."""

    step: str
    message: str

    @property
    def place(self) -> str:
        """Where it stands, for a card."""
        return f"step {self.step}" if self.step else "the output"


async def expression_errors(
    visit: Visit, templates: Sequence[Entity]
) -> list[list[ExpressionWarning]]:
    """What the scaffolder cannot parse in each template; nothing if it is away."""
    specs = [_rendered_parts(each) for each in templates]
    if not any(specs):
        return [[] for _ in templates]
    answer = await visit.ask("POST", CHECKS, json={"specs": specs})
    checked = answer.json() if answer.ok else None
    items = checked.get("items") if isinstance(checked, Mapping) else None
    found = items if isinstance(items, list) else []
    errors = [_errors_in(item) for item in found[: len(specs)]]
    return errors + [[] for _ in range(len(specs) - len(errors))]


def _rendered_parts(template: Entity) -> dict[str, Any]:
    spec = template.get("spec")
    given = spec if isinstance(spec, Mapping) else {}
    return {key: given[key] for key in ("steps", "output") if given.get(key)}


def _errors_in(item: Any) -> list[ExpressionWarning]:
    errors = item.get("expressionErrors") if isinstance(item, Mapping) else None
    return [
        ExpressionWarning(str(each.get("step") or ""), str(each.get("message") or ""))
        for each in (errors if isinstance(errors, list) else ())
        if isinstance(each, Mapping)
    ]


async def installed_actions(visit: Visit) -> frozenset[str] | None:
    """The ids of the actions that runs may use; None if that cannot be told."""
    answer = await visit.ask("GET", ACTIONS)
    found = answer.json() if answer.ok else None
    if not isinstance(found, list):
        return None
    return frozenset(str(each.get("id")) for each in found if isinstance(each, Mapping))


def missing_actions(template: Entity, installed: frozenset[str] | None) -> list[str]:
    """The actions of a template's steps that are not installed, in their order."""
    if installed is None:
        return []
    used = dict.fromkeys(str(step.get("action") or "") for step in _steps(template))
    return [
        name for name in used if name and "${{" not in name and name not in installed
    ]


def warnings_of(
    template: Entity,
    installed: frozenset[str] | None,
    errors: Sequence[ExpressionWarning] = (),
) -> list[str]:
    """All that should be known about a template, as sentences."""
    missing = missing_actions(template, installed)
    told = [
        f"The action {name} is not installed here: a run fails at its step."
        for name in missing
    ]
    told += [f"{each.message[:1].upper()}{each.message[1:]}." for each in errors]
    told += [
        f"Several steps have the id {step_id}: later steps see the output of the "
        "last of them that has run."
        for step_id in _repeated(template)
    ]
    told += [
        f"The form asks for {name} as plain text: its field {field} is not known here."
        for name, field in _unknown_fields(template)
    ]
    return told[:_MOST]


def _steps(template: Entity) -> list[Mapping[str, Any]]:
    spec = template.get("spec")
    steps = spec.get("steps") if isinstance(spec, Mapping) else None
    found = steps if isinstance(steps, list) else []
    return [step for step in found if isinstance(step, Mapping)]


def _repeated(template: Entity) -> list[str]:
    ids = Counter(str(step["id"]) for step in _steps(template) if step.get("id"))
    return [step_id for step_id, count in ids.items() if count > 1]


def _unknown_fields(template: Entity) -> list[tuple[str, str]]:
    spec = template.get("spec")
    given = spec.get("parameters") if isinstance(spec, Mapping) else None
    return list(dict.fromkeys(_fields(given, "", 0)))


def _fields(schema: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEPTH:
        return
    if isinstance(schema, list):
        for each in schema:
            yield from _fields(each, name, depth + 1)
    if not isinstance(schema, Mapping):
        return
    field = schema.get("ui:field")
    if isinstance(field, str) and field not in KNOWN_FIELDS:
        yield name or "an answer", field
    for key, part in schema.items():
        if key == "properties" and isinstance(part, Mapping):
            for own, each in part.items():
                yield from _fields(each, str(own), depth + 1)
        elif key != "ui:field":
            yield from _fields(part, name, depth + 1)
