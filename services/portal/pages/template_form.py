"""A template's form: pages of questions, a review, and the run that they start.

The answers stand in the address, so that a half-filled form can be kept and shared, and
the browser can go back in it. Secrets are entered on the last page and posted; none is
in an address. Works without scripts.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from services.portal.api_paths import entity_path
from services.portal.definitions.model import words
from services.portal.entities import ref_from
from services.portal.forms.answers import form_texts_of
from services.portal.forms.draft import Draft, draft_of
from services.portal.forms.model import FormPage, pages_of
from services.portal.pages.form_helps import render_helps
from services.portal.pages.pickers import check_choices, with_titles
from services.portal.pages.sign_in import sign_in_address
from services.portal.pages.template_answers import answers_of_pages
from services.portal.template_warnings import (
    FaultyTemplate,
    TemplateWarning,
    expression_errors,
    installed_actions,
    warnings_of,
)
from services.portal.visit import Visit, Visiting, gather, json_of
from shared.contracts.entity import Entity, mapping_of
from shared.contracts.errors import CallboardError, Invalid
from shared.guards.json_text import JsonLimits, load_json
from shared.guards.numbers import whole_number

SCAFFOLDER = "/api/scaffolder/v2"
#: What a link to a form may bring with it.
PREFILLED = JsonLimits(size=64 * 1024, depth=20, nodes=5_000)
#: The longest address that browsers and proxies agree on, with room to spare.
LONGEST_ADDRESS = 32_000
BUTTONS = {"back": "Back", "review": "Review", "create": "Create"}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class TemplateForm:
    """The template that the form is of."""

    ref: str
    href: str
    title: str
    about: str
    pages: Sequence[FormPage]
    buttons: Mapping[str, str]
    warnings: Sequence[TemplateWarning] = ()


@router.get("/create/templates/{namespace}/{name}")
async def form(visit: Visiting, namespace: str, name: str) -> Response:
    """The page that the address names, or the next one if this one has no error."""
    query = visit.request.query_params
    template_form = await _template_form(visit, namespace, name)
    draft = await _draft(
        visit, template_form, query.multi_items(), query.get("formData", "")
    )
    go, current = query.get("go", ""), _number(query.get("page", "0"), template_form)
    if go == "next" and current < len(template_form.pages):
        if draft.pages[current].errors:
            return await _page(visit, template_form, draft, current, complain=True)
        return _on_to(template_form, draft, current + 1)
    if go == "back":
        return _on_to(template_form, draft, max(0, current - 1))
    if current == len(template_form.pages):
        return await _review_or_mend(visit, template_form, draft)
    return await _page(visit, template_form, draft, current, complain="check" in query)


@router.post("/create/templates/{namespace}/{name}")
async def start(visit: Visiting, namespace: str, name: str) -> Response:
    """Starts the run; an error is shown at its question."""
    form = await visit.request.form()
    pairs = [(key, str(value)) for key, value in form.multi_items()]
    template_form = await _template_form(visit, namespace, name)
    draft = await _draft(visit, template_form, pairs)
    wrong_page = draft.first_wrong_page()
    if wrong_page is not None:
        return await _page(visit, template_form, draft, wrong_page, complain=True)
    if draft.missing_secrets():
        return await _review(visit, template_form, draft, complain=True)
    answer = await visit.ask(
        "POST",
        f"{SCAFFOLDER}/tasks",
        json={
            "templateRef": template_form.ref,
            "values": _with_masks(draft),
            "secrets": draft.secrets(),
        },
    )
    if answer.status == HTTPStatus.BAD_REQUEST:
        body = answer.json() or {}
        messages = [_error_text(error) for error in body.get("errors") or ()]
        return await _review(
            visit, template_form, draft, refused=messages or [answer.error]
        )
    return visit.go(f"/create/tasks/{quote(str(json_of(answer)['id']))}")


async def _template_form(visit: Visit, namespace: str, name: str) -> TemplateForm:
    place = f"{quote(namespace)}/template/{quote(name)}"
    ref = ref_from(namespace, "template", name)
    form_answer, answer, installed = await gather(
        visit.ask("GET", f"{SCAFFOLDER}/templates/{place}/parameter-schema"),
        visit.ask("GET", entity_path(ref)),
        installed_actions(visit),
    )
    if form_answer.status == HTTPStatus.BAD_REQUEST:
        raise FaultyTemplate(ref, form_answer.error)
    parameter_schema = json_of(form_answer)
    template = Entity((answer.json() or {}) if answer.ok else {})
    errors = await expression_errors(visit, [template])
    return TemplateForm(
        ref=ref,
        href=f"/create/templates/{quote(namespace)}/{quote(name)}",
        title=str(parameter_schema.get("title") or name),
        about=str(parameter_schema.get("description") or ""),
        pages=pages_of(parameter_schema),
        buttons=button_words(parameter_schema),
        warnings=warnings_of(template, installed, errors[0]),
    )


def button_words(parameter_schema: Mapping[str, Any]) -> dict[str, str]:
    """What each button says: the template's author may have other words for it."""
    presentation = mapping_of(parameter_schema.get("presentation"))
    labels = mapping_of(presentation.get("buttonLabels"))
    return {
        name: words(labels.get(f"{name}ButtonText")) or word
        for name, word in BUTTONS.items()
    }


async def _draft(
    visit: Visit,
    template_form: TemplateForm,
    pairs: Sequence[tuple[str, str]],
    prefilled: str = "",
) -> Draft:
    """The form for these answers; a template's author may make it costly."""
    host_types = visit.state.host_types
    draft = await visit.run_in_turn(_fill, template_form, pairs, prefilled, host_types)
    return await check_choices(visit, draft)


def _fill(
    template_form: TemplateForm,
    pairs: Sequence[tuple[str, str]],
    prefilled: str,
    host_types: Mapping[str, str],
) -> Draft:
    values: Any = {}
    if prefilled:
        with contextlib.suppress(CallboardError):
            values = load_json(prefilled, label="formData", limits=PREFILLED)
    form_texts = form_texts_of(pairs)
    return draft_of(
        template_form.pages,
        form_texts,
        values if isinstance(values, dict) else {},
        host_types,
    )


def _number(text: str, template_form: TemplateForm) -> int:
    return min(whole_number(text, limit=99_999) or 0, len(template_form.pages))


def _address(
    template_form: TemplateForm, draft: Draft, number: int, **more: str
) -> str:
    pairs = [("page", str(number)), *more.items(), *draft.pairs()]
    return f"{template_form.href}?{urlencode(pairs)}"


def _on_to(
    template_form: TemplateForm, draft: Draft, number: int, **more: str
) -> Response:
    address = _address(template_form, draft, number, **more)
    if len(address) > LONGEST_ADDRESS:
        raise Invalid(
            f"The answers are too long together: {len(address)} characters in an "
            f"address, at most {LONGEST_ADDRESS}; shorten the longest of them"
        )
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)


async def _page(
    visit: Visit,
    template_form: TemplateForm,
    draft: Draft,
    number: int,
    *,
    complain: bool,
) -> Response:
    """One page of questions; `complain` shows what is wrong with the answers."""
    filled = draft.pages[number]
    # Errors of the template itself are shown at once.
    faults = {path: text for path, text in filled.errors.items() if not path}
    errors = dict(filled.errors) if complain else faults
    if complain:
        filled = filled.with_errors()
    is_part = visit.partial == "questions"
    fields, allowed = await gather(
        with_titles(visit, [f for f in filled.fields if f.kind != "secret"]),
        _always_allowed() if is_part else _allowed(visit),
    )
    (lead, about), fields = await render_helps(
        visit, [template_form.about, filled.page.about], fields
    )
    shown_places = {field.place for field in fields}
    return visit.page(
        "create/form.html",
        title=template_form.title,
        nav="create",
        crumbs=[("Create", "/create")],
        status=HTTPStatus.UNPROCESSABLE_ENTITY
        if errors and complain
        else HTTPStatus.OK,
        block="questions" if is_part else None,
        template_form=template_form,
        allowed=allowed,
        guest=visit.visitor.is_guest,
        sign_in=sign_in_address(visit.address),
        number=number,
        page=filled.page,
        lead=lead,
        about=about,
        fields=fields,
        others=list(draft.pairs(but=number)),
        page_errors=[text for path, text in errors.items() if path not in shown_places],
        count=sum(1 for path in errors if path in shown_places),
        secret_later=any(page.secrets for page in draft.pages),
    )


async def _review_or_mend(
    visit: Visit, template_form: TemplateForm, draft: Draft
) -> Response:
    """The review, or the first page on which something is still wrong."""
    wrong_page = draft.first_wrong_page()
    if wrong_page is not None:
        return _on_to(template_form, draft, wrong_page, check="1")
    return await _review(visit, template_form, draft)


async def _review(
    visit: Visit,
    template_form: TemplateForm,
    draft: Draft,
    *,
    complain: bool = False,
    refused: Sequence[str] = (),
) -> Response:
    wanting = draft.missing_secrets() if complain else {}
    secrets = [
        replace(field, error=wanting.get(field.path, ""))
        for page in draft.pages
        for field in page.secrets
    ]
    (lead,), secrets = await render_helps(visit, [template_form.about], secrets)
    pages, allowed = await gather(answers_of_pages(visit, draft.pages), _allowed(visit))
    return visit.page(
        "create/review.html",
        title=template_form.title,
        nav="create",
        crumbs=[("Create", "/create")],
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wanting or refused else HTTPStatus.OK,
        template_form=template_form,
        lead=lead,
        pages=pages,
        secrets=secrets,
        pairs=list(draft.pairs()),
        change=[
            _address(template_form, draft, page.page.number) for page in draft.pages
        ],
        refused=refused,
        allowed=allowed,
        guest=visit.visitor.is_guest,
        sign_in=sign_in_address(
            _address(template_form, draft, len(template_form.pages))
        ),
    )


async def _always_allowed() -> bool:
    """The answer for a part of the page in which nothing depends on it."""
    return True


async def _allowed(visit: Visit) -> bool:
    """Whether the policy lets the reader start runs; it decides again at the start."""
    item = {
        "id": "create",
        "permission": {
            "type": "basic",
            "name": "scaffolder.task.create",
            "attributes": {"action": "create"},
        },
    }
    answer = await visit.ask(
        "POST", "/api/permission/authorize", json={"items": [item]}
    )
    decisions = (answer.json() or {}).get("items", []) if answer.ok else []
    return not any(decision.get("result") == "DENY" for decision in decisions)


def _with_masks(draft: Draft) -> dict[str, Any]:
    """The values; a secret's own place in them holds as many stars as it is long.

    A password that the template reads among its parameters stands there as it was
    typed, as in Backstage: the scaffolder stores it as a secret.
    """
    values = draft.values
    typed = draft.secrets()
    for page in draft.pages:
        for field in page.secrets:
            text = typed.get(field.path[-1])
            if text is None:
                continue
            place = values
            for part in field.path[:-1]:
                place = place.setdefault(part, {})
            is_secret = field.schema.get("ui:field") == "Secret"
            place[field.path[-1]] = "*" * len(text) if is_secret else text
    return values


def _error_text(error: object) -> str:
    """An error of the scaffolder's check, with the name of the parameter."""
    if not isinstance(error, Mapping):
        return str(error)
    path = error.get("path") or error.get("property") or ""
    name = ".".join(map(str, path)) if isinstance(path, list) else str(path)
    name = name.removeprefix("instance").strip(".")
    message = str(error.get("message") or error.get("stack") or "is not accepted")
    return f"{name}: {message}" if name else message
