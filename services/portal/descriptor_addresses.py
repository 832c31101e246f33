"""Reads the address of a descriptor as a person types it: a web address, or a file.

Files lie on the portal's own machine; only some configurations allow them.
"""

from urllib.parse import unquote

from shared.contracts.errors import Invalid
from shared.guards.addresses import is_web_address, split_address

LOCAL_HOSTS = frozenset({"", "localhost"})


def location_at(address: str, *, files: bool) -> dict[str, str]:
    """The location of an address, as the catalog's API takes it.

    `files` says whether the configuration allows file locations.

    Raises:
        Invalid: with what to type instead, if it is no such address.
    """
    if is_web_address(address):
        return {"type": "url", "target": address}
    is_url = address.lower().startswith("file:")
    if not files:
        raise Invalid(
            "Files cannot be registered here: catalog.fileLocations is off. Enter an "
            "address that begins with https:// or http://"
            if is_url or address.startswith("/")
            else "Enter an address that begins with https:// or http://"
        )
    path = _path_of(address) if is_url else address
    if not path.startswith("/"):
        raise Invalid(
            "Enter an address that begins with https:// or http://, or the whole path "
            "of a file, from / on"
        )
    return {"type": "file", "target": path}


def _path_of(url: str) -> str:
    """The path in a file: URL; "" if it names another machine or no whole path."""
    try:
        parts = split_address(url)
    except Invalid:
        return ""
    return unquote(parts.path) if parts.netloc.lower() in LOCAL_HOSTS else ""
