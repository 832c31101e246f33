"""What a location could bring that is not registered yet, and checks of one entity."""

import asyncio
import re
from typing import Any

from services.catalog.descriptor.envelope import identify
from services.catalog.handlers.catalog import Catalog
from services.catalog.handlers.including import include
from services.catalog.ingest import placeholders
from services.catalog.ingest.candidates import checked
from services.catalog.model import LocationRef
from shared.guards.yaml_text import load_documents

FILENAME = "catalog-info.yaml"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")


async def validate(catalog: Catalog, entity: Any, location: LocationRef) -> None:
    """Check an entity as if it stood in a file at `location`.

    Raises:
        CallboardError: naming the field and the rule.
    """
    identify(entity)
    reading = catalog.sources.reading()
    included = await include(placeholders.find(entity), location, reading)
    await asyncio.to_thread(checked, entity, included.contents)


async def analyse(
    catalog: Catalog, location: LocationRef, filename: str
) -> dict[str, Any]:
    """The descriptors that a repository has, or a first one for it."""
    reading = catalog.sources.reading()
    found: list[dict[str, Any]] = []
    for file in await reading.named(location, filename):
        fetched = await reading.read(file)
        registered = any(
            state.location == str(file)
            for root in catalog.known.roots.values()
            for state in root.files.values()
        )
        found += [
            {
                "location": {"type": file.type, "target": file.target},
                "isRegistered": registered,
                "entity": entity,
            }
            for entity in await asyncio.to_thread(load_documents, fetched.body)
        ]
    return {
        "existingEntityFiles": found,
        "generateEntities": []
        if found
        else [_generated(reading.place(location), location)],
    }


def _generated(place: Any, location: LocationRef) -> dict[str, Any]:
    """A component that its owner has to finish."""
    path = place.repository if place else location.target.rstrip("/")
    name = _NOT_IN_NAMES.sub("-", path.rpartition("/")[2]).strip("-")[:63]
    metadata: dict[str, Any] = {"name": name or "component"}
    if place is not None:
        metadata["annotations"] = {f"{place.host}/project-slug": place.repository}
    entity = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": metadata,
        "spec": {"type": "other", "lifecycle": "unknown"},
    }
    owner = {
        "field": "spec.owner",
        "value": None,
        "state": "needsUserInput",
        "description": "Who owns it: the ref of a group or a user",
    }
    return {"entity": entity, "fields": [owner]}
