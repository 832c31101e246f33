"""The part of the catalog's state that planning reads."""

from typing import Protocol

from services.catalog.model import StoredEntity
from services.catalog.planning.reading import Target


class CatalogView(Protocol):
    """Entities by ref and by the Location entities that emit them."""

    def get(self, ref: str) -> StoredEntity | None:
        """The entity with this canonical ref."""

    def parents(self, ref: str) -> tuple[str, ...] | None:
        """The Location entities that emit an entity; None: there is no such entity."""

    def providing_location(self, ref: str) -> str | None:
        """The location of an entity; None if no location emits it."""

    def emitted(self, parent: str, location: str) -> frozenset[str]:
        """The refs that a Location entity has from one of its targets."""

    def emitted_by(self, parent: str) -> frozenset[str]:
        """The refs that a Location entity has from all of its targets."""

    def is_restricted(self, ref: str) -> bool:
        """Whether an entity is there for its owners and the platform team alone."""

    def is_root(self, ref: str) -> bool:
        """Whether a Location entity stands for a registered location."""


def is_named_by_its_file(view: CatalogView, target: Target) -> bool:
    """Whether the Location entity above a target is the one in the file that names it.

    A name alone proves nothing: a file may use one that another file's entity has.
    """
    if target.origin is None:
        return True
    return view.providing_location(target.parent) == str(target.origin)
