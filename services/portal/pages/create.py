"""The list of templates, and the reader's latest runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.api_paths import BY_QUERY, TASKS, by_name_params, text_params
from services.portal.entities import (
    Summary,
    entities_of,
    related_refs,
    split_ref,
    title_of,
)
from services.portal.pages.first_steps import REGISTER
from services.portal.pages.sign_in import sign_in_of_guest
from services.portal.permissions import allowed_permissions, why_not
from services.portal.runs import RunSummary, run_of
from services.portal.template_warnings import (
    ExpressionWarning,
    expression_errors,
    installed_actions,
    missing_actions,
)
from services.portal.visit import Visit, Visiting, gather
from shared.contracts.entity import Entity

#: Cards that are shown; the catalog counts what else fits.
MOST_OFFERS = 60
LONGEST_TEXT = 100
TEXT_FIELDS = (
    "metadata.name,metadata.title,metadata.description,metadata.tags,spec.type"
)
FIELDS = "kind,metadata,relations,spec.type,spec.steps,spec.output"
LATEST_RUNS = 4
FIRST_TAG = "recommended"

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Offer:
    """One template of the list."""

    href: str
    title: str
    description: str
    type: str
    tags: tuple[str, ...]
    owner: Summary | None
    missing_actions: tuple[str, ...] = ()
    #: Where expressions stand that cannot work.
    syntax_errors: tuple[str, ...] = ()


@router.get("/create")
async def create(visit: Visiting, text: str = "") -> Response:
    """The templates that the reader may see, and the reader's own latest runs."""
    text = text.strip()[:LONGEST_TEXT]
    (templates, total), runs, installed, may = await gather(
        _templates(visit, text),
        _own_runs(visit),
        installed_actions(visit),
        allowed_permissions(visit, [REGISTER]),
    )
    owners, errors = await gather(
        visit.summaries(ref for template in templates for ref in _owners(template)),
        expression_errors(visit, templates),
    )
    offers = [
        _offer(template, owners, missing_actions(template, installed), broken)
        for template, broken in zip(templates, errors, strict=True)
    ]
    return visit.page(
        "create/index.html",
        title="Create",
        nav="create",
        block="part" if visit.partial == "offers" else None,
        text=text,
        offers=offers,
        more=total - len(offers),
        runs=runs,
        may_register=REGISTER in may,
        why_not=why_not(visit),
        sign_in=sign_in_of_guest(visit),
    )


async def _own_runs(visit: Visit) -> list[RunSummary]:
    """The reader's latest runs; none if the scaffolder does not answer."""
    params = {"createdBy": visit.visitor.subject, "limit": str(LATEST_RUNS)}
    answer = await visit.ask("GET", TASKS, params=params, is_secondary=True)
    tasks = (answer.json() or {}).get("tasks", []) if answer.ok else []
    return [run_of(task) for task in tasks[:LATEST_RUNS]]


async def _templates(visit: Visit, text: str) -> tuple[list[Entity], int]:
    """The templates that contain a text, recommended ones first; how many in all."""
    first, every = await gather(
        visit.get(BY_QUERY, _params(f"kind=template,metadata.tags={FIRST_TAG}", text)),
        visit.get(BY_QUERY, _params("kind=template", text)),
    )
    entities = entities_of([*first["items"], *every["items"]])
    templates = list({entity.ref: entity for entity in entities}.values())
    return templates[:MOST_OFFERS], int(every["totalItems"])


def _params(conditions: str, text: str) -> list[tuple[str, str]]:
    params = by_name_params(conditions, fields=FIELDS, limit=MOST_OFFERS)
    return params + text_params(text, TEXT_FIELDS)


def _owners(template: Entity) -> list[str]:
    return related_refs(template, "ownedBy")[:1]


def _offer(
    template: Entity,
    owners: Mapping[str, Summary],
    missing: list[str],
    errors: list[ExpressionWarning],
) -> Offer:
    _, namespace, name = split_ref(str(template.ref))
    owner = _owners(template)
    return Offer(
        href=f"/create/templates/{namespace}/{name}",
        title=title_of(template),
        description=template.description,
        type=template.type,
        tags=tuple(template.tags),
        owner=owners.get(owner[0]) if owner else None,
        missing_actions=tuple(missing),
        syntax_errors=tuple(dict.fromkeys(error.place for error in errors)),
    )
