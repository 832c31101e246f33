"""What the routes get from the application, and the rights of their caller."""

from dataclasses import dataclass
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request

from services.techdocs.handlers.reading import DocsReader, Sees
from services.techdocs.handlers.syncing import Syncing
from services.techdocs.ports import DocsCatalog, DocsSources, Records
from shared.contracts.entity import Entity
from shared.contracts.errors import NotFound
from shared.kit.http.conditions import permits
from shared.kit.http.service_tokens import Principal


class ReadersCatalog(DocsCatalog, Protocol):
    """The catalog, read with the identity of techdocs or of a reader."""

    async def visible_entity(self, ref: str, reader: Principal) -> Entity | None:
        """The entity as a reader may see it, without hidden relations; else None."""
        ...


@dataclass(frozen=True, slots=True)
class DocsDependencies:
    """The objects that the routes of techdocs use."""

    records: Records
    reading: DocsReader
    syncing: Syncing
    catalog: ReadersCatalog
    sources: DocsSources


async def dependencies_of(request: Request) -> DocsDependencies:
    """The dependencies of the app that serves this request."""
    return cast("DocsDependencies", request.app.state.dependencies)


Served = Annotated[DocsDependencies, Depends(dependencies_of)]


def sees(principal: Principal) -> Sees:
    """The test whether this reader may see an entity."""
    return lambda entity: permits(principal, entity)


def ref_in(namespace: str, kind: str, name: str) -> str:
    """The canonical ref of a path's three parts."""
    return f"{kind}:{namespace}/{name}".lower()


async def entity_of(
    dependencies: DocsDependencies, principal: Principal, ref: str, missing: str
) -> Entity:
    """The entity as the catalog has it; NotFound with `missing` if hidden or absent."""
    entity = await dependencies.catalog.entity(ref)
    if entity is None or not permits(principal, entity):
        raise NotFound(missing)
    return entity
