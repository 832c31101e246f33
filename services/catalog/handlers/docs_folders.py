"""The folder of a repository that the docs of an entity are built from."""

from collections.abc import Callable

from services.catalog.model import BranchPath, RepositoryPath, StoredEntity
from shared.contracts.annotations import TECHDOCS_REF
from shared.contracts.docs_sources import source_of
from shared.contracts.errors import Invalid


def docs_folders(
    place: RepositoryPath,
    stored: StoredEntity | None,
    locate: Callable[[str], RepositoryPath],
) -> set[BranchPath]:
    """The folder, if it lies in the source of the entity's file (`place`).

    None also for a folder of a web server: no docs are built from there, and who
    registers a file there must not close folders of others. Several where an address
    leaves open which branch it means, each of which may be the one.
    """
    if stored is None or not stored.entity.annotations.get(TECHDOCS_REF):
        return set()
    try:
        source = source_of(stored.entity)
    except Invalid:
        return set()
    if source.kind == "url" and not place.repository:
        return set()
    if source.base == _own_folder(stored):
        return {(place.branch, source.folder(place.folder))}
    kind = "url" if source.kind == "url" else "file"
    base = locate(f"{kind}:{source.base}")
    if base.key != place.key:
        return set()
    # A whole branch is meant only where the address says where its name ends.
    return {
        (reading.branch, source.folder(reading.path))
        for reading in base.readings()
        if reading.path or not base.is_open
    }


def _own_folder(stored: StoredEntity) -> str | None:
    """The address of a file's folder, as most hosts write it.

    To compare texts is some ten times as fast as to locate an address, and few authors
    name another folder.
    """
    file = stored.location.removeprefix("url:")
    before, keyword, path = file.partition("/blob/")
    if not keyword or "?" in path:
        return None
    return f"{before}/tree/{path.rpartition('/')[0]}/"
