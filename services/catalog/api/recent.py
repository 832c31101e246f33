"""`/changes`: what changed lately in the whole catalog, for whoever may see it."""

import base64
from collections.abc import Callable
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request

from services.catalog.api.parameters import Parameters
from services.catalog.api.reading import Reads, Sent, begin, get
from services.catalog.query.scopes import ReaderScope
from services.catalog.readmodel.recent import Place, RecentChange, RecentChanges
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, Invalid
from shared.guards.json_text import load_json
from shared.kit.http.apps import caller_of
from shared.kit.http.conditions import permits
from shared.kit.http.service_tokens import Principal

PAGE, MOST = 50, 200


async def recent(request: Request) -> Sent:
    """GET `/changes`: the newest revisions, newest first, with a cursor onward.

    Goes back as far as the window is wide. Deletions are told from when this process
    began; of an entity that is gone, to those who could see what it was last.
    """
    reads, scope = await begin(request)
    asked = Parameters(request.scope["query_string"])
    limit = asked.number("limit", least=1)
    limit = PAGE if limit is None else min(limit, MOST)
    after = asked.one("after")
    changes: RecentChanges = request.app.state.recent
    # One more than asked for tells whether there is a next page.
    found = changes.newest(
        _visible(changes, reads, scope, caller_of(request)),
        limit=limit + 1,
        after=None if after is None else _place(after),
    )
    page: dict[str, str] = {}
    if len(found) > limit:
        page["nextCursor"] = _cursor(found[limit - 1].place)
    items = [_item(change) for change in found[:limit]]
    return reads.answer(orjson.dumps({"items": items, "pageInfo": page}))


def _visible(
    changes: RecentChanges, reads: Reads, scope: ReaderScope, principal: Principal
) -> Callable[[RecentChange], bool]:
    """Whether the caller may know of a change."""

    def visible(change: RecentChange) -> bool:
        if principal.decision == "allow":
            return True
        record = reads.model.record(change.ref)
        gone = changes.deletion(change.ref)
        before_end = gone is not None and change.revision <= gone.revision
        if record is None:
            if not before_end:
                return False
        elif not scope.holds(record.entity):
            return False
        elif change.revision > record.stored.revision:
            # Told before it is shown here: who may see the new state is not known yet.
            return False
        if before_end and (gone is None or not _may_see(principal, gone)):
            return False
        # It may have been restricted then, and be open now.
        return _may_see(principal, change)

    return visible


def _may_see(principal: Principal, change: RecentChange) -> bool:
    return change.state is not None and permits(principal, Entity(change.state))


def _item(change: RecentChange) -> dict[str, Any]:
    return {
        "entityRef": change.ref,
        "title": change.title,
        "kind": change.kind,
        "revision": change.revision,
        "at": change.at,
        "actor": change.actor,
        "cause": change.cause,
        "changed": change.changed,
        "deleted": change.deleted,
    }


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


router = APIRouter()
router.routes.append(get("/changes", recent))
