"""Checks answers by the whole schema of a page, as the scaffolder does before a run.

The decided schema has no alternatives any more: answers that it takes may fit two of
them, or a rule that no question shows. What is wrong is said at the question, at the
choice, or at the page.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.portal.forms.alternatives import DEEPEST, Choice, titles_of
from services.portal.forms.checks import (
    MOST_ERRORS,
    cannot_check,
    place_of,
    places_of,
    violation_text,
    words_of_place,
)
from services.portal.forms.model import FormField, Path, Schema, Values
from shared.contracts.entity import mapping_of
from shared.contracts.errors import Invalid
from shared.guards.budgets import Budget
from shared.guards.schemas import Violation, find_violations, is_valid

#: Stands for a secret, which is typed on the last page.
PLACEHOLDER = "*"


@dataclass(frozen=True, slots=True)
class WholeCheck:
    """The check of one page: its whole schema, its questions and its choices."""

    schema: Schema
    fields: Sequence[FormField]
    choices: Sequence[Choice]
    budget: Budget

    def errors(self, values: Values) -> dict[Path, str]:
        """What the scaffolder would refuse, by the place where the form says it."""
        errors: dict[Path, str] = {}
        try:
            for violation in self._violations(self.schema, values)[:MOST_ERRORS]:
                for place, text in self._explained(violation, frozenset()):
                    errors.setdefault(place, text)
        except Invalid as error:
            return {(): cannot_check(error.message)}
        return errors

    def _violations(self, schema: Any, instance: Any) -> list[Violation]:
        return find_violations(schema, instance, root=self.schema, budget=self.budget)

    def _explained(
        self, violation: Violation, explained: frozenset[str]
    ) -> Iterator[tuple[Path, str]]:
        """The place and the words of a violation, of choices in the chosen one too."""
        if violation.keyword in {"oneOf", "anyOf"} and len(explained) < DEEPEST:
            choice = self._choice(violation, explained)
            if choice is not None:
                yield from self._wrong_choice(violation, choice, explained)
                return
            if violation.detail and violation.detail > 1:
                yield self._question(violation), self._ambiguous(violation)
                return
        place, inner = place_of(violation, places_of(self.fields))
        yield place, f"{words_of_place(inner)}{violation_text(violation)}"

    def _choice(self, violation: Violation, explained: frozenset[str]) -> Choice | None:
        """The choice that asks for the alternatives of a violation."""
        path = tuple(map(str, violation.path))
        for choice in self.choices:
            if (
                choice.path == path
                and choice.keyword == violation.keyword
                and len(choice.alternatives) == len(violation.argument)
                and choice.name not in explained
            ):
                return choice
        return None

    def _wrong_choice(
        self, violation: Violation, choice: Choice, explained: frozenset[str]
    ) -> Iterator[tuple[Path, str]]:
        if violation.detail and violation.detail > 1:
            yield choice.place, self._ambiguous(violation, choice.titles)
            return
        chosen = violation.argument[choice.chosen]
        for inner in self._violations(chosen, violation.instance):
            inside = replace(inner, path=(*violation.path, *inner.path))
            yield from self._explained(inside, explained | {choice.name})

    def _ambiguous(self, violation: Violation, titles: Sequence[str] = ()) -> str:
        titles = titles or titles_of([mapping_of(b) for b in violation.argument])
        fitting = [
            title
            for title, branch in zip(titles, violation.argument, strict=True)
            if is_valid(
                branch, violation.instance, root=self.schema, budget=self.budget
            )
        ]
        return (
            f"The answers fit more than one of {', '.join(fitting)}: "
            "the template must tell them apart."
        )

    def _question(self, violation: Violation) -> Path:
        """The question by whose answer alternatives are told apart; else the object."""
        path = tuple(map(str, violation.path))
        parts = [
            mapping_of(mapping_of(b).get("properties")) for b in violation.argument
        ]
        places = places_of(self.fields)
        for name in parts[0]:
            if all(name in part for part in parts) and (*path, str(name)) in places:
                return (*path, str(name))
        return place_of(violation, places)[0]


def without_secret_rules(schema: Any) -> Any:
    """The schema, in which any text is an answer to a question for a secret."""
    if isinstance(schema, list):
        return [without_secret_rules(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    inner = mapping_of(schema.get("ui:options"))
    hints = [
        part.get(f"{prefix}{name}")
        for part, prefix in ((schema, "ui:"), (inner, ""))
        for name in ("field", "widget")
    ]
    if "Secret" in hints or "password" in hints:
        return {}
    return {name: without_secret_rules(part) for name, part in schema.items()}


def with_placeholders(values: Values, paths: Sequence[Path]) -> dict[str, Any]:
    """The values, with a text at each of these places."""
    filled = dict(values)
    for path in paths:
        place = filled
        for part in path[:-1]:
            place[part] = dict(mapping_of(place.get(part)))
            place = place[part]
        place[path[-1]] = PLACEHOLDER
    return filled
