"""`/changes`: what changed lately in the whole catalog, for whoever may see it."""

import base64
from collections.abc import Callable
from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.catalog.api.models import MOST_ITEMS, NextPage
from services.catalog.api.reading import CallerScope, Reads, reads_of
from services.catalog.api.revisions import CatalogRoute
from services.catalog.model import CauseJson
from services.catalog.query.scopes import ReaderScope
from services.catalog.readmodel.recent import Place, RecentChange, RecentChanges
from shared.contracts.errors import CallboardError, Invalid
from shared.guards.json_text import load_json
from shared.kit.http.apps import Caller, json_response
from shared.kit.http.conditions import permits
from shared.kit.http.models import ResponseModel
from shared.kit.http.service_tokens import Principal

PAGE_SIZE, LARGEST_PAGE = 50, 200


router = APIRouter(route_class=CatalogRoute)


class RecentChangeItem(ResponseModel):
    """One revision of an entity: who changed it, why, and which fields."""

    entity_ref: str
    title: str
    kind: str
    revision: int
    at: str
    actor: str
    cause: CauseJson
    changed: list[str]
    deleted: bool


class RecentChangePage(ResponseModel):
    """A page of changes, newest first."""

    items: list[RecentChangeItem]
    page_info: NextPage


@router.get("/changes", response_model=RecentChangePage)
async def recent(
    request: Request,
    caller: Caller,
    scope: CallerScope,
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS)] = PAGE_SIZE,
    after: str | None = None,
) -> Response:
    """What changed lately in the whole catalog; newest first.

    Goes back as far as the window. Deletions are listed since this process started, for
    those who could see the entity's last state. For those whom the policy does not show
    every entity, `changed` names the field around one that was removed.
    """
    limit = min(limit, LARGEST_PAGE)
    changes: RecentChanges = request.app.state.recent
    # One more than requested shows whether there is a next page.
    newest = changes.newest(
        _visibility_for(changes, reads_of(request), scope, caller),
        limit=limit + 1,
        after=None if after is None else _place(after),
    )
    page_info = {}
    if len(newest) > limit:
        page_info["nextCursor"] = _cursor(newest[limit - 1].place)
    sees_all = caller.decision == "allow"
    items = [_item(change, sees_all=sees_all) for change in newest[:limit]]
    # Home asks for a hundred: to validate them takes as long as all the rest.
    return json_response({"items": items, "pageInfo": page_info})


def _item(change: RecentChange, *, sees_all: bool) -> dict[str, object]:
    """A change as `RecentChangeItem` documents it."""
    return {
        "entityRef": change.ref,
        "title": change.title,
        "kind": change.kind,
        "revision": change.revision,
        "at": change.at,
        "actor": change.actor,
        "cause": change.cause,
        "changed": change.changed if sees_all else change.remaining,
        "deleted": change.deleted,
    }


def _visibility_for(
    changes: RecentChanges, reads: Reads, scope: ReaderScope, principal: Principal
) -> Callable[[RecentChange], bool]:
    """The test whether the caller may know of a change."""

    def is_visible(change: RecentChange) -> bool:
        if principal.decision == "allow":
            return True
        record = reads.model.record(change.ref)
        deletion = changes.deletion(change.ref)
        precedes_deletion = (
            deletion is not None and change.revision <= deletion.revision
        )
        if record is None:
            if not precedes_deletion:
                return False
        elif not scope.holds(record.entity):
            return False
        elif change.revision > record.stored.revision:
            # The read model does not show it yet: who may see it is not known.
            return False
        if precedes_deletion and (
            deletion is None or not _may_see(principal, deletion)
        ):
            return False
        # It may have been restricted then, and be open now.
        return _may_see(principal, change)

    return is_visible


def _may_see(principal: Principal, change: RecentChange) -> bool:
    return change.state is not None and permits(principal, change.state)


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def _place(text: str) -> Place:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        at, ref, revision = load_json(data, label="after")
    except (ValueError, TypeError, CallboardError) as error:
        raise Invalid("request/query/after: malformed cursor") from error
    if not (isinstance(at, str) and isinstance(ref, str) and isinstance(revision, int)):
        raise Invalid("request/query/after: malformed cursor")
    return at, ref, revision
