"""A half-filled form: all pages, their fields as the answers so far make them.

Pages use this module of `forms` alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from services.portal.forms.alternatives import Choice, answered_paths
from services.portal.forms.answers import (
    FormTexts,
    add_required_objects,
    displayed_answer,
    pairs_of,
    secrets_of,
    typed_repo_url,
    values_of,
    yaml_errors,
)
from services.portal.forms.checks import (
    NEEDED,
    cannot_check,
    errors_in,
    type_faults,
)
from services.portal.forms.conditions import (
    MOST_CHOICES,
    ConditionContext,
    controllers,
    without_conditions,
)
from services.portal.forms.fields import fields_of
from services.portal.forms.model import FormField, FormPage, Path, Values
from services.portal.forms.repositories import (
    repository_errors,
    with_hosts,
    with_parts,
)
from services.portal.forms.whole_check import (
    WholeCheck,
    with_placeholders,
    without_secret_rules,
)
from services.portal.forms.yaml_help import with_yaml_help
from shared.contracts.errors import Invalid
from shared.guards.budgets import Budget
from shared.guards.trees import check_tree

# An answer may add a question whose default adds another one.
ROUNDS = 4
#: What one page's schema may hold, and what deciding and checking it may cost.
MOST_ELEMENTS = 20_000
MOST_FIELDS = 500
#: What is wrong with a schema, as far as it is named.
MOST_FAULTS = 3
MOST_OPTIONS = 4_000
STEPS = 200_000
SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class FilledPage:
    """A page with its fields and answers; `errors` by the field's path."""

    page: FormPage
    fields: Sequence[FormField]
    values: Values
    errors: Mapping[Path, str]
    choices: Sequence[Choice] = ()

    @property
    def secrets(self) -> list[FormField]:
        """The questions that are asked on the last page, and stored nowhere."""
        return [field for field in self.fields if field.kind == "secret"]

    def with_errors(self) -> "FilledPage":
        """The same, each field with its error."""
        fields = [replace(f, error=self.errors.get(f.place, "")) for f in self.fields]
        return replace(self, fields=fields)


@dataclass(frozen=True, slots=True)
class Draft:
    """The whole form."""

    pages: Sequence[FilledPage]
    form_texts: FormTexts

    @property
    def values(self) -> dict[str, Any]:
        """All answers, as the template gets them."""
        values: dict[str, Any] = {}
        for page in self.pages:
            values |= page.values
        return values

    def pairs(self, *, but: int = -1) -> Iterator[tuple[str, str]]:
        """All answers as names and texts, those of one page left out."""
        for filled in self.pages:
            if filled.page.number != but:
                yield from pairs_of(filled.fields, filled.values, self.form_texts)

    def first_wrong_page(self) -> int | None:
        """The number of the first page with something wrong on it."""
        for filled in self.pages:
            if filled.errors:
                return filled.page.number
        return None

    def secrets(self) -> dict[str, str]:
        """What was typed into the fields for secrets."""
        secrets: dict[str, str] = {}
        for filled in self.pages:
            secrets |= secrets_of(filled.fields, self.form_texts)
        return secrets

    def missing_secrets(self) -> dict[Path, str]:
        """The secrets that are needed and were not typed."""
        typed = self.secrets()
        return {
            field.path: NEEDED
            for filled in self.pages
            for field in filled.secrets
            if field.required and field.path[-1] not in typed
        }


def draft_of(
    pages: Sequence[FormPage],
    form_texts: FormTexts,
    prefilled: Values | None = None,
    host_types: Mapping[str, str] = MappingProxyType({}),
) -> Draft:
    """The form for these answers.

    `prefilled` are values from the address, `host_types` the types of the
    configured Git hosts.
    """
    filled = [
        _filled_page(page, form_texts, prefilled or {}, host_types) for page in pages
    ]
    draft = Draft(filled, form_texts)
    values = with_placeholders(draft.values, _coming_secrets(draft))
    return replace(draft, pages=[_checked_page(page, values) for page in filled])


def _coming_secrets(draft: Draft) -> list[Path]:
    """The places of secrets that the template will get with the answers."""
    typed = draft.secrets()
    return [
        field.path
        for page in draft.pages
        for field in page.secrets
        if field.required or field.path[-1] in typed
    ]


def _checked_page(filled: FilledPage, values: Values) -> FilledPage:
    """The page, checked as the scaffolder does where the form found no error."""
    if filled.errors:
        return filled
    schema = filled.page.schema
    if filled.secrets:
        schema = without_secret_rules(schema)
    budget = Budget("the form", seconds=SECONDS, nodes=STEPS)
    check = WholeCheck(schema, filled.fields, filled.choices, budget)
    return replace(filled, errors=check.errors(values))


def _filled_page(
    page: FormPage,
    form_texts: FormTexts,
    prefilled: Values,
    host_types: Mapping[str, str],
) -> FilledPage:
    try:
        check_tree(page.schema, label="the form", nodes=MOST_ELEMENTS, depth=60)
        return _page_with_answers(page, form_texts, prefilled, host_types)
    except Invalid as error:
        return FilledPage(page, [], {}, {(): cannot_check(error.message)})


def _page_with_answers(
    page: FormPage,
    form_texts: FormTexts,
    prefilled: Values,
    host_types: Mapping[str, str],
) -> FilledPage:
    """The page with its answers.

    Raises:
        Invalid: if its schema asks for too much work.
    """
    values: dict[str, Any] = {}
    controls = controllers(page.schema)
    budget = Budget("the form", seconds=SECONDS, nodes=STEPS)
    answers = [n for n, texts in form_texts.items() if n[:2] == "p." and any(texts)]
    context = ConditionContext(
        page.schema,
        budget,
        chosen={name: texts[-1] for name, texts in form_texts.items()},
        answered=answered_paths(answers, prefilled),
        # The pages of a form are objects of one path, and share the names of choices.
        first_number=page.number * MOST_CHOICES,
    )
    for _ in range(ROUNDS):
        context.choices.clear()
        schema = without_conditions(page.schema, values, context)
        fields = [
            with_hosts(field, host_types) if field.kind == "repo" else field
            for field in fields_of(schema, controls, choices=context.choices)
        ]
        if len(fields) > MOST_FIELDS:
            raise Invalid(f"the form: more than {MOST_FIELDS} questions")
        if sum(len(field.options) for field in fields) > MOST_OPTIONS:
            raise Invalid(f"the form: more than {MOST_OPTIONS} choices on one page")
        new_values = values_of(fields, form_texts, prefilled, context)
        add_required_objects(schema, new_values)
        if new_values == values:
            break
        values = new_values
    errors = errors_in(schema, fields, values, budget)
    for reason in type_faults(fields):
        context.add_fault(reason)
    if context.faults:
        errors[()] = cannot_check("; ".join(context.faults[:MOST_FAULTS]))
    shown_fields = with_yaml_help(
        (_with_answer(field, values, form_texts) for field in fields), page.schema
    )
    errors |= yaml_errors(fields, values, errors)
    errors = {**repository_errors(shown_fields), **errors}
    return FilledPage(page, shown_fields, values, errors, tuple(context.choices))


def _with_answer(field: FormField, values: Values, form_texts: FormTexts) -> FormField:
    if field.kind == "choice":
        return field
    field = replace(field, value=displayed_answer(field, values, form_texts))
    if field.kind != "repo":
        return field
    return with_parts(field, typed_repo_url(field, form_texts) or "")
