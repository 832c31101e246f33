"""The actions that steps of templates may name here: inputs, outputs and examples."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from services.portal.definitions.documents import DefinitionDocument
from services.portal.definitions.model import DefinitionRow, clip
from services.portal.definitions.schema_words import LONGEST_EXAMPLE
from services.portal.definitions.schemas import Schemas
from services.portal.prose import plain_text, render_texts
from services.portal.template_warnings import ACTIONS
from services.portal.visit import Visiting
from shared.contracts.entity import list_of, mapping_of, text_of

LONGEST_TEXT = 100
LONGEST_ID = 200
MOST_ACTIONS = 200
MOST_EXAMPLES = 20

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ActionView:
    """One action; `examples` are descriptions with their YAML."""

    id: str
    description: Markup
    input: Sequence[DefinitionRow]
    output: Sequence[DefinitionRow]
    examples: Sequence[tuple[str, str]]


@router.get("/create/actions")
async def actions(visit: Visiting, q: str = "") -> Response:
    """The installed actions whose ids or descriptions have all words of `q`."""
    words = q[:LONGEST_TEXT].split()
    items = [mapping_of(item) for item in list_of(await visit.get(ACTIONS))]
    matches = [item for item in items if _holds(item, words)]
    first_matches = matches[:MOST_ACTIONS]
    descriptions = await render_texts(
        [item.get("description") for item in first_matches]
    )
    return visit.page(
        "create/actions.html",
        title="Installed actions",
        nav="create",
        crumbs=[("Create", "/create")],
        block="part" if visit.partial == "actions" else None,
        q=" ".join(words),
        actions=await asyncio.to_thread(_views, first_matches, descriptions),
        more=len(matches) - len(first_matches),
    )


def _holds(item: Mapping[str, Any], words: Iterable[str]) -> bool:
    text = f"{item.get('id')} {item.get('description')}".lower()
    return all(word in text for word in map(str.lower, words))


def _views(
    items: Iterable[Mapping[str, Any]], descriptions: Iterable[Markup]
) -> list[ActionView]:
    return [
        ActionView(
            id=clip(text_of(item.get("id")), LONGEST_ID),
            description=description,
            input=_rows(mapping_of(item.get("schema")).get("input")),
            output=_rows(mapping_of(item.get("schema")).get("output")),
            examples=[
                (
                    text_of(example.get("description")),
                    clip(text_of(example.get("example")), LONGEST_EXAMPLE),
                )
                for example in map(mapping_of, list_of(item.get("examples")))
            ][:MOST_EXAMPLES],
        )
        for item, description in zip(items, descriptions, strict=True)
    ]


def _rows(schema: Any) -> list[DefinitionRow]:
    """The members of a schema; the page has no entries that types could lead to."""
    rows = Schemas(DefinitionDocument(mapping_of(schema), "")).rows(schema)
    return [
        replace(row, link="", about=plain_text(row.about)) for row in rows if row.name
    ]
