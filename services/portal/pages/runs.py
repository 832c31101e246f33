"""Runs of templates: the list, and one run with its steps, live log and results."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.api_paths import TASKS
from services.portal.entities import Summary
from services.portal.pages.start_again import form_address
from services.portal.pages.template_answers import answers_of_run
from services.portal.runs import (
    CAN_RETRY,
    ENDED,
    RunSummary,
    progress_of,
    run_of,
)
from services.portal.tables import Paging, columns
from services.portal.visit import Visit, Visiting, gather, with_query

PAGE_SIZE = 20
# The API holds a request for events until there are some: a new run may have none.
NO_EVENTS_SECONDS = 0.4

#: No list of runs is as long; further pages are as empty.
LAST_PAGE = 1_000_000

router = APIRouter()


@router.get("/create/tasks")
async def runs(visit: Visiting, page: int = 1, whose: str = "own") -> Response:
    """Runs, newest first: the reader's own, or all that the reader may see."""
    page = min(max(1, page), LAST_PAGE)
    params = [("limit", str(PAGE_SIZE)), ("offset", str((page - 1) * PAGE_SIZE))]
    params.append(("order", "desc:created_at"))
    if whose != "all":
        params.append(("createdBy", visit.visitor.subject))
    answer = await visit.get(TASKS, params)
    listed_runs = [run_of(task) for task in answer["tasks"]]
    people = await visit.summaries(_people(listed_runs))
    return visit.page(
        "create/runs.html",
        title="Runs",
        nav="create",
        crumbs=[("Create", "/create")],
        runs=listed_runs,
        people=people,
        columns=columns("Template", "State", "Started", "By"),
        whose="all" if whose == "all" else "own",
        paging=_paging(
            page, len(listed_runs), int(answer.get("totalTasks") or 0), whose
        ),
    )


def _people(listed_runs: list[RunSummary]) -> set[str]:
    return {run.created_by for run in listed_runs if run.created_by.startswith("user:")}


def _paging(page: int, count: int, total: int, whose: str) -> Paging:
    def address(number: int) -> str:
        own = "" if whose != "all" else "all"
        return with_query("/create/tasks", {"whose": own, "page": number})

    first = (page - 1) * PAGE_SIZE
    return Paging(
        first=first + 1 if count else 0,
        last=first + count,
        total=total,
        previous=address(page - 1) if page > 1 else "",
        next=address(page + 1) if first + count < total else "",
    )


@router.get("/create/tasks/{task}")
async def run(visit: Visiting, task: str) -> Response:
    """One run; a script follows its events and replaces the parts that change."""
    body, events = await gather(visit.get(_path(task)), _events(visit, task))
    state = run_of(body)
    progress = await visit.run_in_turn(progress_of, body, events)
    names, answers = await gather(
        visit.summaries(
            ref for ref in (state.template, state.created_by) if _is_entity(ref)
        ),
        answers_of_run(visit, body),
    )
    return visit.page(
        "create/run.html",
        title=state.template_title,
        nav="create",
        crumbs=[("Create", "/create"), ("Runs", "/create/tasks")],
        run=state,
        progress=progress,
        made_by=_visible_summary(names, state.template),
        by=_visible_summary(names, state.created_by),
        can_retry=state.status in CAN_RETRY,
        answers=answers,
        again=form_address(body) if state.status in ENDED else "",
    )


@router.post("/create/tasks/{task}/cancel")
async def cancel(visit: Visiting, task: str) -> Response:
    """Stops a run before its next step."""
    await visit.post(f"{_path(task)}/cancel", {})
    return visit.go(f"/create/tasks/{quote(task)}")


@router.post("/create/tasks/{task}/retry")
async def retry(visit: Visiting, task: str) -> Response:
    """Runs it again from the step that failed."""
    answer = await visit.post(f"{_path(task)}/retry", {})
    again = str((answer or {}).get("id") or task)
    return visit.go(f"/create/tasks/{quote(again)}")


async def _events(visit: Visit, task: str) -> list[Mapping[str, Any]]:
    try:
        async with asyncio.timeout(NO_EVENTS_SECONDS):
            events = await visit.get(f"{_path(task)}/events")
    except TimeoutError:
        return []
    return events if isinstance(events, list) else []


def _path(task: str) -> str:
    return f"{TASKS}/{quote(task, safe='')}"


def _is_entity(ref: str) -> bool:
    return ":" in ref and "/" in ref


def _visible_summary(names: Mapping[str, Summary], ref: str) -> Summary | None:
    summary = names.get(ref.lower())
    return None if summary is None or summary.missing else summary
