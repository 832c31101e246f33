"""Twins of what stands around the portal: the public API, and the gateway."""

import base64
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.portal.model import ApiAnswer, Visitor, visitor_of
from services.portal.ports import Params
from tests.portal.company import Entity, changes_of, company, history

CATALOG = "/api/catalog"

OWNED = frozenset(
    {"catalog.entity.delete", "catalog.entity.refresh", "catalog.location.delete"}
)


class FakeApi:
    """Answers what the catalog would of `entities`; keeps every call in `calls`.

    `hidden` refs are as if they were not there, `away` makes all of it answer 503,
    `denied` are permissions that authorize says no to.
    """

    def __init__(self, entities: dict[str, Entity] | None = None) -> None:
        self.entities = company() if entities is None else entities
        self.calls: list[tuple[str, str, Any]] = []
        self.hidden: set[str] = set()
        self.denied: set[str] = set()
        self.away = False
        #: Beginnings of paths that are not answered; those that a page waited long for.
        self.hanging: tuple[str, ...] = ()
        self.waited_for: list[str] = []
        #: Paths that the policy refuses.
        self.forbidden: set[str] = set()
        #: Seconds since the catalog last reached its store.
        self.stale = 0
        self.settings: dict[str, Any] = {}
        self.histories: dict[str, list[Any]] = {}
        self.recent: list[Any] | None = None
        #: What stays or comes back when a location is unregistered.
        self.remaining: list[Any] = []
        #: Whether no location is registered.
        self.unregistered = False
        #: What leaves the catalog then; whether the reader may unregister it.
        self.leaving = ["component:default/booking", "component:default/seat-map"]
        self.removable = True
        #: Ways to sign in; people to choose from, None where they cannot be listed.
        self.ways = {"guest": True, "development": True, "token": True}
        self.people: list[Any] | None = people()
        self.has_people = True

    async def call(
        self,
        visitor: Visitor | None,  # noqa: ARG002
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        is_secondary: bool = False,
    ) -> ApiAnswer:
        pairs = list(params.items() if isinstance(params, Mapping) else params or ())
        self.calls.append((method, path, json if json is not None else pairs))
        if path.startswith(self.hanging):
            self.waited_for += [] if is_secondary else [path]
            return _error(503, "ServiceUnavailableError", "The service does not answer")
        if self.away:
            return _error(503, "ServiceUnavailableError", "catalog is away")
        if path in self.forbidden:
            return _error(403, "NotAllowedError", "Sign in as a user to do this")
        query: dict[str, list[str]] = {}
        for name, value in pairs:
            for item in value if isinstance(value, list | tuple) else [value]:
                query.setdefault(name, []).append(str(item))
        if path.startswith("/api/auth/"):
            return self._auth(path, query)
        answer = self._answer(method, path, query, json)
        if self.stale:
            marked = {**answer.headers, "callboard-stale": str(self.stale)}
            return replace(answer, headers=marked)
        return answer

    def _answer(
        self, method: str, path: str, query: dict[str, list[str]], json: Any
    ) -> ApiAnswer:
        answers: dict[str, Callable[[], Any]] = {
            f"{CATALOG}/entities/by-query": lambda: self._by_query(query),
            f"{CATALOG}/entity-facets": lambda: self._facets(query),
            f"{CATALOG}/entities/by-refs": lambda: {
                "items": [self._visible(ref) for ref in json["entityRefs"]]
            },
            "/api/permission/authorize": lambda: {
                "items": [self._decision(item) for item in json["items"]]
            },
            f"{CATALOG}/refresh": lambda: None,
            f"{CATALOG}/locations/loc-1/remaining": self._remaining,
            f"{CATALOG}/changes": lambda: {"items": self._changes(), "pageInfo": {}},
        }
        if path in answers:
            return _ok(answers[path]())
        if path.startswith(f"{CATALOG}/entities/by-name/"):
            return self._by_name(path)
        if path.startswith(f"{CATALOG}/locations/by-entity/"):
            return self._location()
        if path.startswith("/api/user-settings/"):
            if method == "PUT":
                self.settings[path] = json["value"]
            is_stored = path in self.settings
            value = {"value": self.settings.get(path)}
            return _ok(value) if is_stored else _error(404, "NotFoundError", "none")
        if method == "DELETE":
            return ApiAnswer(204, {}, b"")
        return _error(404, "NotFoundError", f"No route for {path}")

    def _auth(self, path: str, query: dict[str, list[str]]) -> ApiAnswer:
        if path == "/api/auth/ways":
            return _ok(self.ways)
        if self.people is None:
            return _error(503, "ServiceUnavailableError", "The policy is away")
        text = query["text"][0].lower()
        items = [person for person in self.people if text in person["title"].lower()]
        return _ok({"items": items, "is_empty": not self.has_people})

    def _location(self) -> ApiAnswer:
        if self.unregistered:
            return _error(404, "NotFoundError", "Found no location")
        return _ok({"id": "loc-1", "type": "url", "target": "https://x.y/z"})

    def _remaining(self) -> Any:
        leaving = {"totalEntities": len(self.leaving), "entityRefs": self.leaving}
        return {
            "items": self.remaining,
            "leaving": leaving,
            "removable": self.removable,
        }

    def _changes(self) -> list[Any]:
        if self.recent is not None:
            return self.recent
        items = [
            item
            for ref in self.entities
            if ref not in self.hidden
            for item in changes_of(ref, self.entities[ref], self.histories.get(ref))
        ]
        return sorted(items, key=lambda item: item["at"], reverse=True)

    def _visible(self, ref: str) -> Entity | None:
        return None if ref in self.hidden else self.entities.get(ref)

    def _decision(self, item: Any) -> Any:
        name = item["permission"]["name"]
        # What the policy decides by ownership it allows of an entity alone.
        is_denied = name in self.denied or (name in OWNED and "resourceRef" not in item)
        return {"id": item["id"], "result": "DENY" if is_denied else "ALLOW"}

    def _by_name(self, path: str) -> ApiAnswer:
        kind, namespace, name, *more = path.split("/by-name/")[1].split("/")
        ref = f"{kind}:{namespace}/{name}"
        entity = self._visible(ref)
        if entity is None:
            return _error(404, "NotFoundError", f"No entity named '{ref}'")
        if more == ["history"]:
            items = self.histories.get(ref) or history(ref)
            return _ok({"items": items, "totalItems": len(items)})
        return _ok(entity)

    def _by_query(self, query: dict[str, list[str]]) -> Any:
        entities = self._filtered(query)
        order, _, direction = query.get("orderField", [""])[0].partition(",")
        if order:
            entities = [entity for entity in entities if _values(entity, order)]
            entities.sort(
                key=lambda entity: _values(entity, order)[0],
                reverse=direction == "desc",
            )
        term = query.get("fullTextFilterTerm", [""])[0].lower()
        fields = ",".join(query.get("fullTextFilterFields", [])).split(",")
        if term:
            entities = [
                entity
                for entity in entities
                if any(term in v for f in fields for v in _values(entity, f))
            ]
        offset, limit = (
            int(query.get("offset", ["0"])[0]),
            query.get("limit", ["20"])[0],
        )
        items = entities[offset : offset + int(limit)]
        return {"items": items, "totalItems": len(entities), "pageInfo": {}}

    def _facets(self, query: dict[str, list[str]]) -> Any:
        entities = self._filtered(query)
        text = query.get("valueText", [""])[0].lower()
        limit = int(query.get("valueLimit", ["1000000"])[0])
        facets: dict[str, list[Any]] = {}
        totals: dict[str, int] = {}
        for facet in query["facet"]:
            counts = Counter(
                value
                for entity in entities
                for value in _values(entity, facet, case=True)
                if text in value.lower() or text in self._title(value).lower()
            )
            totals[facet] = len(counts)
            facets[facet] = [
                {"value": value, "count": count}
                for value, count in sorted(counts.most_common(limit))
            ]
        return {"facets": facets, "totals": totals}

    def _title(self, ref: str) -> str:
        """What an entity is called; "" where the value names none."""
        named = self.entities.get(ref, {})
        profile = named.get("spec", {}).get("profile") or {}
        title = named.get("metadata", {}).get("title") or profile.get("displayName")
        return str(title or "")

    def _filtered(self, query: dict[str, list[str]]) -> list[Entity]:
        sets = [_statements(text) for text in query.get("filter", [])]
        return [
            entity
            for ref, entity in self.entities.items()
            if ref not in self.hidden
            and (not sets or any(_matches(entity, statements) for statements in sets))
        ]


def _statements(text: str) -> dict[str, list[str] | None]:
    statements: dict[str, list[str] | None] = {}
    for part in text.split(","):
        key, sep, value = part.partition("=")
        if not sep:
            statements[key] = None
        else:
            values = statements.setdefault(key, [])
            assert values is not None
            values.append(value.lower())
    return statements


def _matches(entity: Entity, statements: dict[str, list[str] | None]) -> bool:
    return all(
        bool(_values(entity, key))
        if allowed_values is None
        else any(value in allowed_values for value in _values(entity, key))
        for key, allowed_values in statements.items()
    )


def _values(entity: Entity, path: str, *, case: bool = False) -> list[str]:
    if path.startswith("relations."):
        kind = path.partition(".")[2].lower()
        return [
            one["targetRef"]
            for one in entity["relations"]
            if one["type"].lower() == kind
        ]
    if path.startswith("metadata.annotations."):
        annotations = entity["metadata"].get("annotations") or {}
        value: Any = annotations.get(path.split(".", 2)[2])
    elif path.startswith("status.items."):
        items = (entity.get("status") or {}).get("items") or ()
        field = path.rpartition(".")[2]
        values = [{**item, **item.get("error", {})}.get(field) for item in items]
        value = [item for item in values if item is not None]
    else:
        value = entity
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [str(one) if case else str(one).lower() for one in values]


def _ok(value: Any) -> ApiAnswer:
    return ApiAnswer(200, {"content-type": "application/json"}, orjson.dumps(value))


def _error(status: int, name: str, message: str) -> ApiAnswer:
    body = orjson.dumps({"error": {"name": name, "message": message}})
    return ApiAnswer(status, {"content-type": "application/json"}, body)


def people() -> list[Any]:
    """The company's people as the sign-in lists them."""
    return [
        {
            "ref": ref,
            "name": person["metadata"]["name"],
            "title": person["spec"]["profile"]["displayName"],
            "picture": "",
            "groups": person["spec"]["memberOf"],
        }
        for ref, person in company().items()
        if ref.startswith("user:")
    ]


def visitor(subject: str) -> Visitor:
    """Somebody of the company, with a token as the gateway makes it, but unsigned."""
    kind, ownership = _kind_and_ownership(subject)
    claims = {"sub": subject, "kind": kind, "ent": ownership}
    payload = base64.urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=").decode()
    reader = visitor_of(f"Bearer head.{payload}.signature")
    assert reader is not None
    return reader


def bearer(subject: str) -> str:
    """The header that the gateway sends for somebody."""
    return f"Bearer {visitor(subject).token}"


def _kind_and_ownership(subject: str) -> tuple[str, list[str]]:
    if subject == "user:development/guest":
        return "guest", [subject]
    if subject.startswith("service:"):
        return "service", []
    relations = (company().get(subject) or {}).get("relations", [])
    groups = [
        relation["targetRef"]
        for relation in relations
        if relation["type"] == "memberOf"
    ]
    return "user", [subject, *groups]


class AsGateway:
    """Passes requests on as the gateway does: the session's cookie as a token.

    Its forms sign in anybody, and with the token `the-token`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/sign-in/"):
            form = await Request(scope, receive).form()
            subject = {
                "/sign-in/guest": "user:development/guest",
                "/sign-in/as": form.get("user"),
                "/sign-in/token": "service:operator",
            }[scope["path"]]
            answer = RedirectResponse(str(form.get("next", "/")), 303)
            if form.get("token", "the-token") == "the-token":
                answer.set_cookie("callboard_session", str(subject))
            else:
                answer = RedirectResponse("/sign-in?wrong=token", 303)
            await answer(scope, receive, send)
            return
        if scope["type"] == "http":
            cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
            subject = cookies.get("callboard_session")
            added = [(b"x-forwarded-for", str(scope["client"][0]).encode())]
            if subject:
                added.append((b"authorization", bearer(subject).encode()))
            scope = {**scope, "headers": [*scope["headers"], *added]}
        await self._app(scope, receive, send)
