"""What still comes from where a closed file is (ADR 18)."""

from services.catalog.handlers.catalog import CatalogContext
from services.catalog.model import ClosedFile


def comes_from_source(catalog: CatalogContext, ref: str, file: ClosedFile) -> bool:
    """Whether the entity of a closed file comes from its source, by whatever root.

    The same name from elsewhere, which anybody may take, closes nothing there.
    """
    location = catalog.state.providing_location(ref)
    return location is not None and catalog.rights.source(location) == file.source
