"""The help of a form's questions and of their options: Markdown, rendered together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from services.portal.forms.model import FormField, Option
from services.portal.prose import render_texts
from services.portal.visit import Visit


async def render_helps(
    visit: Visit, texts: Sequence[str], fields: Sequence[FormField]
) -> tuple[list[str], list[FormField]]:
    """The texts of a page as HTML, and its fields with theirs; one budget for all.

    The help of a group is given to the field with which the group begins.
    """
    rendered = iter(await render_texts([*texts, *_helps(fields)], visit.run_in_turn))
    return [next(rendered) for _ in texts], [
        replace(
            field,
            help=next(rendered),
            group_help=next(rendered),
            options=tuple(_with_abouts(field, rendered)),
        )
        for field in fields
    ]


def _helps(fields: Sequence[FormField]) -> Iterator[str]:
    group = ""
    for field in fields:
        yield field.help
        yield field.group_help if field.group != group else ""
        group = field.group
        yield from (
            option.about for option in field.options if _is_shown(field, option)
        )


def _with_abouts(field: FormField, rendered: Iterator[str]) -> Iterator[Option]:
    for option in field.options:
        is_shown = _is_shown(field, option)
        yield replace(option, about=next(rendered)) if is_shown else option


def _is_shown(field: FormField, option: Option) -> bool:
    """Whether the page has a place for what an option says of itself."""
    return field.kind == "radio" and bool(option.about)
