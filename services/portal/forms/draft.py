"""A half-filled form: all pages, their fields as the answers so far make them.

Pages use this module of `forms` alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from services.portal.forms.form_size import MOST_ELEMENTS
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
from services.portal.forms.yaml_help import help_budget, with_yaml_help
from shared.contracts.errors import Invalid
from shared.guards.budgets import Budget
from shared.guards.trees import check_tree

# An answer may add a question whose default adds another one.
ROUNDS = 4
#: What is wrong with a schema, as far as it is named.
MOST_FAULTS = 3
#: Choices of all questions of one page.
MOST_OPTIONS = 4_000
#: What deciding and checking all pages may cost.
STEPS = 80_000
SECONDS = 1.0
#: What making a field costs, in the same steps.
FIELD_STEPS = 10


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
    inputs = _Inputs(form_texts, prefilled or {}, host_types)
    filled = [_filled_page(page, inputs) for page in pages]
    draft = Draft(filled, form_texts)
    values = with_placeholders(draft.values, _coming_secrets(draft))
    pages_of_draft = [_checked_page(page, values, inputs.budget) for page in filled]
    return replace(draft, pages=pages_of_draft)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What all pages of a form are filled with, and what that may cost together."""

    form_texts: FormTexts
    prefilled: Values
    host_types: Mapping[str, str]
    budget: Budget = field(
        default_factory=lambda: Budget("the form", seconds=SECONDS, nodes=STEPS)
    )
    help_budget: Budget = field(default_factory=help_budget)


def _coming_secrets(draft: Draft) -> list[Path]:
    """The places of secrets that the template will get with the answers."""
    typed = draft.secrets()
    return [
        field.path
        for page in draft.pages
        for field in page.secrets
        if field.required or field.path[-1] in typed
    ]


def _checked_page(filled: FilledPage, values: Values, budget: Budget) -> FilledPage:
    """The page, checked as the scaffolder does where the form found no error."""
    if filled.errors:
        return filled
    schema = filled.page.schema
    if filled.secrets:
        schema = without_secret_rules(schema)
    check = WholeCheck(schema, filled.fields, filled.choices, budget)
    return replace(filled, errors=check.errors(values))


def _filled_page(page: FormPage, inputs: _Inputs) -> FilledPage:
    try:
        check_tree(page.schema, label="the form", nodes=MOST_ELEMENTS, depth=60)
        return _page_with_answers(page, inputs)
    except Invalid as error:
        return FilledPage(page, [], {}, {(): cannot_check(error.message)})


def _page_with_answers(page: FormPage, inputs: _Inputs) -> FilledPage:
    """The page with its answers.

    Raises:
        Invalid: if its schema asks for too much work.
    """
    form_texts, prefilled, budget = inputs.form_texts, inputs.prefilled, inputs.budget
    values: dict[str, Any] = {}
    controls = controllers(page.schema)
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
        context.begin()
        schema = without_conditions(page.schema, values, context)
        fields = [
            with_hosts(field, inputs.host_types) if field.kind == "repo" else field
            for field in _counted(
                fields_of(schema, controls, choices=context.choices), budget
            )
        ]
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
        (_with_answer(field, values, form_texts) for field in fields),
        page.schema,
        inputs.help_budget,
    )
    errors |= yaml_errors(fields, values, errors)
    errors = {**repository_errors(shown_fields), **errors}
    return FilledPage(page, shown_fields, values, errors, tuple(context.choices))


def _counted(fields: Iterable[FormField], budget: Budget) -> Iterator[FormField]:
    """The same fields, each paid for, as far as a page may have their choices."""
    options = 0
    for form_field in fields:
        budget.pay_nodes(FIELD_STEPS)
        options += len(form_field.options)
        if options > MOST_OPTIONS:
            raise Invalid(f"the form: more than {MOST_OPTIONS} choices on one page")
        yield form_field


def _with_answer(field: FormField, values: Values, form_texts: FormTexts) -> FormField:
    if field.kind == "choice":
        return field
    field = replace(field, value=displayed_answer(field, values, form_texts))
    if field.kind != "repo":
        return field
    return with_parts(field, typed_repo_url(field, form_texts) or "")
