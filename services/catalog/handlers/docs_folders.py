"""The folder of a repository that the docs of an entity are built from."""

import posixpath

from services.catalog.model import RepositoryPath, StoredEntity
from shared.contracts.annotations import TECHDOCS_REF


def docs_folder(place: RepositoryPath, stored: StoredEntity | None) -> str:
    """The folder of `dir:`, relative to that of the file at `place`; "" if none."""
    if stored is None:
        return ""
    kind, _, path = str(stored.entity.annotations.get(TECHDOCS_REF)).partition(":")
    if kind != "dir":
        return ""
    joined = posixpath.join("/", place.folder, path)
    return posixpath.normpath(joined).strip("/")
