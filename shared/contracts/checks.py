"""The names for people of the checks in `/api/status`, on the page and in the terminal.

The API has short keys for programs; both show these names, in this order.
"""

CHECK_NAMES = {
    "documents": "Document store",
    "events": "Event log",
    "index": "Search index",
    "policy": "Access policy",
    "gateway": "Gateway",
    "catalog loaded": "Catalog in memory",
    "tables": "Activity tables",
    "pushes": "Push notifications",
    "builders": "Documentation builders",
    "rights": "Documentation rights",
    "runs": "Template runners",
    "open": "Start-up",
}
_ORDER = list(CHECK_NAMES)


def check_name(key: str) -> str:
    """What people call a check; one that has no name is called by its key."""
    return CHECK_NAMES.get(key, key)


def check_order(key: str) -> int:
    """The place of a check in a list: stores first, checks without a name last."""
    return _ORDER.index(key) if key in CHECK_NAMES else len(_ORDER)
