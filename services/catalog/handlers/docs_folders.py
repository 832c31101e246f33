"""The folders of a repository that docs of entities are built from."""

import posixpath

from services.catalog.model import RepositoryPath, StoredEntity
from shared.contracts.annotations import TECHDOCS_REF


class DocsFolders:
    """Those named by entities that a reader sees, and those named by others alone."""

    def __init__(self) -> None:
        self._visible: set[str] = set()
        self._hidden: set[str] = set()

    @property
    def hidden(self) -> set[str]:
        """Where nothing but docs of entities lies that the reader may not see."""
        return self._hidden - self._visible

    def add(
        self, place: RepositoryPath, stored: StoredEntity | None, *, is_visible: bool
    ) -> None:
        """Take in the entity of a file: `dir:` is relative to the file's folder."""
        if stored is None:
            return
        kind, _, path = str(stored.entity.annotations.get(TECHDOCS_REF)).partition(":")
        if kind == "dir":
            start = posixpath.dirname(place.path)
            folder = posixpath.normpath(posixpath.join("/", start, path)).strip("/")
            (self._visible if is_visible else self._hidden).add(folder)
