"""The annotations of docs: whether an entity has docs, whose, and where they are."""

import posixpath

from services.techdocs.model import DocsSource
from shared.contracts.annotations import (
    MANAGED_BY_LOCATION,
    SOURCE_LOCATION,
    TECHDOCS_ENTITY,
    TECHDOCS_REF,
)
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


def source_of(entity: Entity) -> DocsSource:
    """Where the entity says its docs are (techdocs-node, `getLocationForEntity`).

    Raises:
        Invalid: naming the annotation and the rule.
    """
    annotation = entity.annotations.get(TECHDOCS_REF)
    if not annotation:
        raise Invalid(f"No {TECHDOCS_REF} annotation provided in entity: {entity.name}")
    kind, target = _location(str(annotation), TECHDOCS_REF)
    if kind == "url":
        return DocsSource("url", target)
    if kind != "dir":
        raise Invalid(
            f"{TECHDOCS_REF}: the type {kind!r} is not known; use dir: or url:"
        )
    return _relative(entity, target)


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


def _relative(entity: Entity, relative: str) -> DocsSource:
    managed = entity.annotations.get(MANAGED_BY_LOCATION)
    if not managed:
        raise Invalid(
            f"{MANAGED_BY_LOCATION}: is missing, so {TECHDOCS_REF} has nothing to "
            "start from"
        )
    kind, target = _location(str(managed), MANAGED_BY_LOCATION)
    source_location = entity.annotations.get(SOURCE_LOCATION)
    if source_location:
        source_kind, source = _location(str(source_location), SOURCE_LOCATION)
        if source_kind == "url":
            return DocsSource("url", source, relative)
        if kind != "file" or source_kind != "file":
            raise Invalid(f"{SOURCE_LOCATION}: must be a url:")
        folder = _child(posixpath.dirname(target), source, SOURCE_LOCATION)
        return DocsSource("dir", _child(folder, relative, TECHDOCS_REF))
    if kind == "url":
        return DocsSource("url", target, relative, base_is_folder=False)
    if kind != "file":
        raise Invalid(f"{MANAGED_BY_LOCATION}: the type {kind!r} is not known")
    # A descriptor may point below its own folder only: anybody may have written it.
    return DocsSource("dir", _child(posixpath.dirname(target), relative, TECHDOCS_REF))


def _location(text: str, label: str) -> tuple[str, str]:
    kind, colon, target = text.partition(":")
    if not colon or not kind or not target:
        raise Invalid(f"{label}: {text!r} must be of the form type:target")
    return kind, target


def _child(folder: str, relative: str, label: str) -> str:
    path = posixpath.normpath(posixpath.join(folder, relative))
    if path != folder and not path.startswith(folder.rstrip("/") + "/"):
        raise Invalid(f"{label}: {relative!r} leaves the folder of the descriptor")
    return path
