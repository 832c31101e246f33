"""Where the docs of an entity are, as its annotations name it.

One rule for who builds them, and for who decides what may be read of their folder.
"""

import posixpath
from dataclasses import dataclass
from typing import Literal

from shared.contracts.annotations import (
    MANAGED_BY_LOCATION,
    SOURCE_LOCATION,
    TECHDOCS_REF,
)
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid


@dataclass(frozen=True, slots=True)
class DocsSource:
    """The place of an entity's docs, as its annotations name it.

    `kind` "url": `base` is a web address of a file or folder on a Git host, `relative`
    a path from there. `kind` "dir": `base` is a folder of this machine, which lies in
    that of the descriptor, `top`, also if it is a link.
    """

    kind: Literal["url", "dir"]
    base: str
    relative: str = ""
    base_is_folder: bool = True
    top: str = ""

    def folder(self, path: str) -> str:
        """The folder of the docs in its repository, where `base` is at `path`."""
        start = path if self.base_is_folder else posixpath.dirname(path)
        folder = posixpath.normpath(posixpath.join("/", start, self.relative or "."))
        return folder.strip("/")


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
        top = posixpath.dirname(target)
        folder = _child(top, source, SOURCE_LOCATION)
        return DocsSource("dir", _child(folder, relative, TECHDOCS_REF), top=top)
    if kind == "url":
        return DocsSource("url", target, relative, base_is_folder=False)
    if kind != "file":
        raise Invalid(f"{MANAGED_BY_LOCATION}: the type {kind!r} is not known")
    # A descriptor may point below its own folder only: anybody may have written it.
    top = posixpath.dirname(target)
    return DocsSource("dir", _child(top, relative, TECHDOCS_REF), top=top)


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
