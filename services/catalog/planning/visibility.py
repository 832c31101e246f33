"""Hides details in the problems of a file that restricted entities come from.

The last good version of an entity stays. A file that holds restricted entities as well
is told of to others in general words alone.
"""

from services.catalog.ingest.problems import in_general
from services.catalog.model import StatusItemJson, TargetKey
from services.catalog.planning.view import CatalogView
from shared.contracts.annotations import RESTRICTED


def hidden_refs(view: CatalogView, key: TargetKey) -> frozenset[str]:
    """The entities of a target that not everybody may see."""
    return frozenset(filter(view.is_restricted, view.emitted(*key)))


def without_private_words(
    item: StatusItemJson, location: str, hidden: frozenset[str]
) -> StatusItemJson:
    """An item without its words, if it is about a hidden entity, or may be."""
    error = item["error"]
    if "since" not in error and "line" not in error:
        # A conflict, which names no more than everybody may know.
        return item
    concerned = error.get("entityRef")
    is_private = concerned in hidden if concerned is not None else bool(hidden)
    is_private = is_private or bool(error.get(RESTRICTED))
    return in_general(item, location) if is_private else item
