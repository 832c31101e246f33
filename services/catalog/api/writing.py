"""What the changing routes have in common: their ports, and who may change what."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.catalog.api.revisions import reach
from services.catalog.handlers.catalog import CatalogContext, CommandContext, order
from services.catalog.handlers.remainders import unregistering
from services.catalog.handlers.source_rights import SourceReader
from services.catalog.handlers.state_follower import StateFollower
from services.catalog.model import LocationRef, Root, StoredEntity
from services.catalog.readmodel import ReadModel
from shared.contracts.catalog import CauseKind
from shared.contracts.entity import Entity
from shared.contracts.errors import Forbidden, Invalid
from shared.contracts.headers import REVISION
from shared.contracts.permissions import ENTITY_READ
from shared.kit.http.apps import caller_of
from shared.kit.http.conditions import permits
from shared.kit.http.service_tokens import Principal

EMPTY = 204
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Writes:
    """The write side of one app. `types` may be registered by users."""

    catalog: CatalogContext
    follower: StateFollower
    model: ReadModel
    types: tuple[str, ...]
    refresh_duplicates: bool
    readonly: bool

    def entity(self, ref: str) -> dict[str, Any] | None:
        """An entity as readers see it, with its relations."""
        found = self.model.entity_bytes(ref)
        return None if found is None else orjson.loads(found)

    def permitted(self, principal: Principal, ref: str) -> bool:
        """Whether the decision covers this entity."""
        if principal.decision == "allow":
            return True
        entity = self.entity(ref)
        return entity is not None and permits(principal, Entity(entity))

    def require(self, principal: Principal, held: StoredEntity) -> bool:
        """True if the caller may; False if they may not even know of the entity.

        Raises:
            Forbidden: if they may know of it, but not do this.
        """
        if self.permitted(principal, held.ref):
            return True
        if not self.permitted(principal.granted(ENTITY_READ), held.ref):
            return False
        raise Forbidden(f"{principal.subject} may not do this to {held.ref}")

    def hides(self, principal: Principal, root: Root) -> bool:
        """Whether the caller may not know of a registration."""
        ref = root.location.entity_ref
        reader = principal.granted(ENTITY_READ)
        return self.model.record(ref) is not None and not self.permitted(reader, ref)

    def require_all(self, principal: Principal, root: Root) -> None:
        """Raise Forbidden unless the decision covers everything that a root brought.

        One that brought nothing is theirs who registered it. Location entities in it
        have no owner, and say nothing about whose it is.
        """
        if principal.decision == "allow":
            return
        state = self.catalog.state
        waiting, seen = [root.location.entity_ref], {root.location.entity_ref}
        while waiting:
            for ref in state.emitted_by(waiting.pop()):
                if ref not in seen:
                    seen.add(ref)
                    waiting.append(ref)
        brought = {ref for ref in seen if not _is_location(ref)}
        if not brought and root.registrant != principal.subject:
            raise Forbidden(
                f"{root.location} has brought nothing: {principal.subject} did not "
                "register it, and may not do this"
            )
        for ref in sorted(brought):
            if not self.permitted(principal, ref):
                raise Forbidden(
                    f"{principal.subject} may not do this to all that {root.location} "
                    "has brought"
                )

    async def require_removal(self, principal: Principal, root: Root) -> None:
        """Raise Forbidden unless the caller may unregister a location.

        Whoever registered it may when all that goes with it is theirs: what another
        source provides as well stays with that source.
        """
        try:
            self.require_all(principal, root)
        except Forbidden:
            if root.registrant != principal.subject:
                raise
            outcome = await unregistering(self.catalog, root)
            owned = (ref for ref in outcome.deleted if not _is_location(ref))
            if not all(self.permitted(principal, ref) for ref in owned):
                raise

    def require_writable(self) -> None:
        """Raise Forbidden in an installation that is read only."""
        if self.readonly:
            raise Forbidden("This operation not allowed: catalog.readonly is set")


def _is_location(ref: str) -> bool:
    return ref.startswith("location:")


def writes_of(request: Request) -> Writes:
    """The write side of the app that was asked."""
    found: Writes = request.app.state.writes
    return found


def order_of(
    principal: Principal, kind: CauseKind, reader: SourceReader | None = None
) -> CommandContext:
    """What a caller wants, by their own name."""
    return order(kind, principal.subject, reader)


def required_text(body: dict[str, Any], name: str, where: str = "request/body") -> str:
    """A string that a body must have.

    Raises:
        Invalid: naming it.
    """
    if name not in body:
        raise Invalid(f"{where} must have required property '{name}'")
    value = body[name]
    if not isinstance(value, str):
        raise Invalid(f"{where}/{name} must be string")
    if not value.strip():
        raise Invalid(f"{where}/{name} must NOT have fewer than 1 characters")
    return value


def location_in(body: dict[str, Any], where: str = "request/body") -> LocationRef:
    """The location that a body names; nothing else may stand in it."""
    for name in body:
        if name not in {"type", "target"}:
            raise Invalid(f"{where}: unrecognized key '{name}'")
    kind = required_text(body, "type", where)
    return LocationRef(kind, required_text(body, "target", where).strip())


def nothing() -> Response:
    """204: done, and no more to say."""
    return Response(status_code=EMPTY)


def route(method: str, path: str, endpoint: Endpoint) -> Route:
    """One route of one method; its answers name the revision that they reflect."""

    @wraps(endpoint)
    async def marked(request: Request) -> Response:
        caller_of(request)
        await reach(request)
        answer = await endpoint(request)
        answer.headers[REVISION] = str(request.app.state.readmodel.revision)
        return answer

    return Route(path, marked, methods=[method])
