"""The texts of errors in sources, without what a page shows beside them.

The API's message says everything: the error's name, the file's address, since when,
and what to do. Pages show the address, the date and the advice themselves.
"""

import re
from collections.abc import Mapping
from typing import Any

from services.portal.entities import Entity, canonical, errors_of

ERROR_NAME = re.compile(r"^[A-Z]\w*Error: ")
_ADDRESS = re.compile(r"^((?:url|file):\S+): ")
_SINCE = re.compile(r" \(since [0-9: -]{16} UTC\)(?:\. (?P<advice>.*))?$", re.DOTALL)


def error_text(item: Mapping[str, Any], entity: Entity) -> str:
    """The rule that is broken and its place, as the entity's own page says it.

    A Location's errors may be of many files: those of others keep their address.
    """
    text = message_text(item)
    address = _ADDRESS.match(text)
    if address and (not _is_location(entity) or address[1] == _target(entity)):
        text = text[address.end() :]
    ref = f"{canonical(entity)}: "
    return text[len(ref) :] if text.lower().startswith(ref) else text


def message_text(item: Mapping[str, Any]) -> str:
    """The message of a status item without the error's name, date and advice."""
    message = str(item.get("message") or item.get("type") or "")
    return _SINCE.sub("", ERROR_NAME.sub("", message))


def error_advice(item: Mapping[str, Any]) -> str:
    """What the reader may do about a source that cannot be read, "" if nothing."""
    error = item.get("error")
    since = _SINCE.search(str(item.get("message") or ""))
    if not since or (isinstance(error, Mapping) and "line" in error):
        # A file that can be mended at its place: the page has the link to it.
        return ""
    advice = since["advice"] or ""
    return f"{advice}." if advice else ""


def error_texts(entity: Entity) -> list[str]:
    """The texts of all errors of an entity."""
    return [error_text(item, entity) for item in errors_of(entity)]


def _is_location(entity: Entity) -> bool:
    return str(entity.get("kind")).lower() == "location"


def _target(entity: Entity) -> str:
    spec = entity.get("spec")
    if not isinstance(spec, Mapping):
        return ""
    return f"{spec.get('type') or 'url'}:{spec.get('target')}"
