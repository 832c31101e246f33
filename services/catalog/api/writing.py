"""What the changing routes have in common: their ports, and who may change what."""

from dataclasses import dataclass
from typing import Annotated

import orjson
from fastapi import Depends
from starlette.requests import Request

from services.catalog.handlers.catalog import (
    CatalogContext,
    CommandContext,
    context_for,
)
from services.catalog.handlers.closed_files import comes_from_source
from services.catalog.handlers.source_rights import SourceReader
from services.catalog.handlers.state_follower import StateFollower
from services.catalog.handlers.unregister_outcome import unregister_outcome
from services.catalog.model import RootLocation, StoredEntity
from services.catalog.planning.entities import is_location
from services.catalog.readmodel import ReadModel
from shared.contracts.catalog import CauseKind
from shared.contracts.entity import Entity
from shared.contracts.errors import Forbidden
from shared.contracts.permissions import ENTITY_READ
from shared.guards.turns import in_turns
from shared.kit.http.conditions import permits
from shared.kit.http.service_tokens import Principal


@dataclass(frozen=True, slots=True)
class Writes:
    """The write side of one app. `types` may be registered by users."""

    catalog: CatalogContext
    follower: StateFollower
    model: ReadModel
    types: tuple[str, ...]
    refresh_duplicates: bool
    readonly: bool

    def entity(self, ref: str) -> Entity | None:
        """An entity as readers see it, with its relations."""
        body = self.model.entity_bytes(ref)
        return None if body is None else Entity(orjson.loads(body))

    def is_permitted(self, principal: Principal, ref: str) -> bool:
        """Whether the decision covers this entity."""
        if principal.decision == "allow":
            return True
        entity = self.entity(ref)
        return entity is not None and permits(principal, entity)

    def require(self, principal: Principal, stored: StoredEntity) -> bool:
        """True if the caller may; False if they may not even know of the entity.

        Raises:
            Forbidden: if they may know of it, but not do this.
        """
        if self.is_permitted(principal, stored.ref):
            return True
        if not self.is_permitted(principal.granted(ENTITY_READ), stored.ref):
            return False
        raise Forbidden(f"{principal.subject} may not do this to {stored.ref}")

    def hides(self, principal: Principal, root: RootLocation) -> bool:
        """Whether the caller may not know of a registration, which is not their own."""
        if root.registrant == principal.subject:
            return False
        ref = root.location.entity_ref
        reader = principal.granted(ENTITY_READ)
        return self.model.record(ref) is not None and not self.is_permitted(reader, ref)

    def require_all(self, principal: Principal, root: RootLocation) -> None:
        """Raise Forbidden unless the decision covers all entities of a root.

        A root without entities belongs to its registrant. Location entities do not
        count, as they have no owner.
        """
        if principal.decision == "allow":
            return
        state = self.catalog.state
        queue, refs = [root.location.entity_ref], {root.location.entity_ref}
        while queue:
            for ref in state.emitted_by(queue.pop()):
                if ref not in refs:
                    refs.add(ref)
                    queue.append(ref)
        brought_refs = {ref for ref in refs if not is_location(ref)}
        if not brought_refs and root.registrant != principal.subject:
            raise Forbidden(
                f"{root.location} has brought nothing: {principal.subject} did not "
                "register it, and may not do this"
            )
        for ref in sorted(brought_refs):
            if not self.is_permitted(principal, ref):
                raise Forbidden(
                    f"{principal.subject} may not do this to all that {root.location} "
                    "has brought"
                )

    async def require_closed(self, principal: Principal, root: RootLocation) -> None:
        """Raise Forbidden unless the decision covers what its closed files brought.

        Nothing closes them any more once the root is gone.
        """
        if root.is_by_operator or principal.decision == "allow":
            return
        async for ref, file in in_turns(root.closed.items()):
            if comes_from_source(self.catalog, ref, file):
                continue
            if file.entity is None or not permits(principal, Entity(file.entity)):
                raise Forbidden(
                    f"{root.location} has brought what is not for everybody: "
                    f"{principal.subject} may not do this"
                )

    async def require_removal(self, principal: Principal, root: RootLocation) -> None:
        """Raise Forbidden unless the caller may unregister a location.

        The registrant may if the decision covers all entities that are deleted with it;
        entities that another source provides as well stay.
        """
        await self.require_closed(principal, root)
        try:
            self.require_all(principal, root)
        except Forbidden:
            if root.registrant != principal.subject:
                raise
            outcome = await unregister_outcome(self.catalog, root)
            owned_refs = (ref for ref in outcome.deleted if not is_location(ref))
            if not all(self.is_permitted(principal, ref) for ref in owned_refs):
                raise

    def require_writable(self) -> None:
        """Raise Forbidden in an installation that is read only."""
        if self.readonly:
            raise Forbidden("This operation not allowed: catalog.readonly is set")


async def writes_of(request: Request) -> Writes:
    """The write side of the app that serves this request."""
    writes: Writes = request.app.state.writes
    return writes


CatalogWrites = Annotated[Writes, Depends(writes_of)]


def context_of(
    principal: Principal, kind: CauseKind, reader: SourceReader | None = None
) -> CommandContext:
    """The context of a caller's command."""
    return context_for(kind, principal.subject, reader)
