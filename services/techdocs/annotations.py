"""The annotations of docs: whether an entity has docs, whose, and where they are."""

import posixpath

from shared.contracts.annotations import (
    MANAGED_BY_LOCATION,
    TECHDOCS_ENTITY,
    TECHDOCS_REF,
)
from shared.contracts.docs_sources import DocsSource
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from shared.contracts.ref import parse_ref


def is_documented(entity: Entity) -> bool:
    """Whether the entity has docs, of its own or another entity's."""
    annotations = entity.annotations
    return bool(annotations.get(TECHDOCS_REF) or annotations.get(TECHDOCS_ENTITY))


def alias_of(entity: Entity) -> str | None:
    """The canonical ref of the entity whose docs are shown for this one.

    Raises:
        Invalid: if the annotation is no entity ref.
    """
    alias = entity.annotations.get(TECHDOCS_ENTITY)
    if not alias:
        return None
    own = entity.ref
    return str(
        parse_ref(str(alias), default_kind=own.kind, default_namespace=own.namespace)
    )


def file_as_source(path: str) -> Invalid:
    """The error of a reference to a file in place of its folder."""
    folder = posixpath.dirname(path) or "the top folder"
    return Invalid(
        f"{TECHDOCS_REF}: {path} is a file; name the folder that has mkdocs.yml and "
        f"the pages: {folder}"
    )


def own_source(entity: Entity) -> DocsSource | None:
    """Where the entity itself was read from, on a Git host; None if elsewhere.

    The catalog sets this annotation; an author's own says where docs are, not whose.
    """
    location = str(entity.annotations.get(MANAGED_BY_LOCATION) or "")
    kind, _, target = location.partition(":")
    is_address = kind == "url" and bool(target)
    return DocsSource("url", target, base_is_folder=False) if is_address else None
