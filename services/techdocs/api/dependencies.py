"""What the routes are served with, and who is asking."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, cast

from fastapi import Depends, Request

from services.techdocs.handlers.reading import DocsReader, Sees
from services.techdocs.handlers.syncing import Syncing
from services.techdocs.ports import DocsCatalog, DocsSources, Records
from shared.contracts.entity import Entity
from shared.contracts.errors import Forbidden, NotFound
from shared.kit.http.conditions import permits
from shared.kit.http.service_tokens import Principal


class ReadersCatalog(DocsCatalog, Protocol):
    """The catalog, asked for itself or for a reader."""

    async def visible_entity(
        self, ref: str, reader: Principal
    ) -> Mapping[str, Any] | None:
        """The entity with those relations that a reader may see; None if not it."""
        ...


@dataclass(frozen=True, slots=True)
class DocsDependencies:
    """The parts that routes use."""

    records: Records
    reading: DocsReader
    syncing: Syncing
    catalog: ReadersCatalog
    sources: DocsSources


def rooms_of(request: Request) -> DocsDependencies:
    """The rooms of the app that serves this request."""
    return cast("DocsDependencies", request.app.state.dependencies)


Served = Annotated[DocsDependencies, Depends(rooms_of)]


def sees(principal: Principal) -> Sees:
    """Whether this reader may see an entity."""

    def may(entity: Mapping[str, Any]) -> bool:
        return permits(principal, Entity(entity))

    return may


def ref_in(namespace: str, kind: str, name: str) -> str:
    """The canonical ref of a path's three parts."""
    return f"{kind}:{namespace}/{name}".lower()


async def entity_of(
    dependencies: DocsDependencies, principal: Principal, ref: str, missing: str
) -> Mapping[str, Any]:
    """The entity as the catalog has it; NotFound with `missing` if not to be seen."""
    entity = await dependencies.catalog.entity(ref)
    if entity is None or not permits(principal, Entity(entity)):
        raise NotFound(missing)
    return entity


def only_services(principal: Principal) -> None:
    """Raise Forbidden for everybody else."""
    if not principal.is_service:
        raise Forbidden("Snapshots are for services only")
