"""Answers to a template's questions in words: of the review, and of a run.

Questions are shown by title, choices by label, refs by name. What a template hides from
its review is hidden in its runs as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from services.portal.entities import Summary, ref_title, split_ref
from services.portal.forms.answers import displayed_answer
from services.portal.forms.draft import FilledPage, draft_of
from services.portal.forms.fields import key_of
from services.portal.forms.model import FormField, FormPage, pages_of
from services.portal.pages.pickers import chosen_in
from services.portal.visit import Visit
from shared.contracts.entity import mapping_of

TEMPLATES = "/api/scaffolder/v2/templates"


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """A question, and its answer in words."""

    label: str
    text: str
    summary: Summary | None = None


async def answers_of_pages(
    visit: Visit, pages: Sequence[FilledPage]
) -> list[tuple[FormPage, list[AnsweredQuestion]]]:
    """The answers of each page, refs as the names of their entities."""
    refs = {
        ref
        for page in pages
        for field in page.fields
        if field.picker and field.picker.choice_type != "tags"
        for ref in chosen_in(field)
        if "/" in ref
    }
    names = await visit.summaries(refs)
    return [
        (page.page, [a for field in page.fields if (a := _answer(field, names))])
        for page in pages
    ]


async def answers_of_run(
    visit: Visit, task: Mapping[str, Any]
) -> list[AnsweredQuestion]:
    """The parameters of a run in words; the scaffolder leaves secrets out.

    The questions are those of the template as it is now. A parameter without a question
    stands under its own name, and all do where the template is gone.
    """
    spec = mapping_of(task.get("spec"))
    parameters = {
        str(name): value
        for name, value in mapping_of(spec.get("parameters")).items()
        if value not in (None, "", [])
    }
    if not parameters:
        return []
    ref = str(mapping_of(spec.get("templateInfo")).get("entityRef") or "")
    pages = await _pages(visit, ref)
    filled = await visit.run_in_turn(_filled, pages, parameters)
    current_names = {
        field.path[0] for page in filled for field in page.fields if field.path
    }
    answered = [
        answer
        for _, answers in await answers_of_pages(visit, filled)
        for answer in answers
    ]
    rest = [
        AnsweredQuestion(name, _value_text(value)) for name, value in parameters.items()
    ]
    rest = [answer for answer in rest if answer.label not in current_names]
    return [answer for answer in answered if answer.text] + rest


async def _pages(visit: Visit, ref: str) -> list[FormPage]:
    """The template's questions; none if it is gone or not the reader's to see."""
    if not ref.startswith("template:") or "/" not in ref:
        return []
    _, namespace, name = split_ref(ref)
    place = f"{quote(namespace, safe='')}/template/{quote(name, safe='')}"
    answer = await visit.ask("GET", f"{TEMPLATES}/{place}/parameter-schema")
    return pages_of(answer.json() or {}) if answer.ok else []


def _filled(
    pages: Sequence[FormPage], parameters: Mapping[str, Any]
) -> list[FilledPage]:
    """The questions with a run's answers: without those that it was not asked.

    Those of a read-only question may be others than the form sends.
    """
    return [
        replace(
            page,
            fields=[
                replace(field, value=displayed_answer(field, parameters, {}))
                for field in page.fields
                if _is_given(parameters, field.path)
            ],
        )
        for page in draft_of(pages, {}, parameters).pages
    ]


def _is_given(values: Any, path: Sequence[str]) -> bool:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return True


def _answer(field: FormField, names: Mapping[str, Summary]) -> AnsweredQuestion | None:
    hints = field.schema.get("ui:backstage")
    review = hints.get("review") if isinstance(hints, Mapping) else None
    review = review if isinstance(review, Mapping) else {}
    if review.get("show") is False or field.kind in {"secret", "hidden", "note"}:
        return None
    label = str(review.get("name") or field.label)
    if field.value in ("", []):
        return AnsweredQuestion(label, "")
    if review.get("mask"):
        return AnsweredQuestion(label, str(review["mask"]))
    texts = field.value if isinstance(field.value, list) else [field.value]
    labels = {"true": "Yes", "false": "No"} if field.kind == "check" else {}
    labels |= {option.key: option.label for option in field.options}
    words = [labels.get(text) or _name_of(field, text, names) for text in texts]
    summary = names.get(str(field.value).lower()) if field.picker else None
    return AnsweredQuestion(label, ", ".join(words), summary)


def _name_of(field: FormField, text: str, names: Mapping[str, Summary]) -> str:
    if field.picker is None or field.picker.choice_type == "tags":
        return text
    summary = names.get(text.lower())
    return summary.title if summary and not summary.missing else ref_title(text)


def _value_text(value: Any) -> str:
    """A value without its question."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return ", ".join(map(key_of, value)) if isinstance(value, list) else key_of(value)
