"""The texts of errors in sources, without what a page shows beside them.

The API's message says everything: the error's name, the file's address, since when,
and what to do. Pages show the address, the date and the advice themselves.
"""

import re

from services.portal.entities import errors_of
from shared.contracts.entity import Entity, StatusItem, text_of

ERROR_NAME = re.compile(r"^[A-Z]\w*Error: ")
_ADDRESS = re.compile(r"^((?:url|file):\S+): ")
_SINCE = re.compile(r" \(since [0-9: -]{16} UTC\)(?:\. (?P<advice>.*))?$", re.DOTALL)


def error_text(item: StatusItem, entity: Entity) -> str:
    """The rule that is broken and its place, as the entity's own page says it.

    A Location's errors may be of many files: those of others keep their address.
    """
    text = message_text(item.message or item.type)
    address = _ADDRESS.match(text)
    if address and (entity.kind.lower() != "location" or address[1] == _target(entity)):
        text = text[address.end() :]
    ref = f"{entity.ref}: "
    return text[len(ref) :] if text.lower().startswith(ref) else text


def message_text(message: str) -> str:
    """The message of a status item without the error's name, date and advice."""
    return _SINCE.sub("", ERROR_NAME.sub("", message))


def error_advice(item: StatusItem) -> str:
    """What the reader may do about a source that cannot be read, "" if nothing."""
    since = _SINCE.search(item.message)
    if not since or "line" in item.error:
        # The page has a link to the place in the file where it can be fixed.
        return ""
    advice = since["advice"] or ""
    return f"{advice}." if advice else ""


def error_texts(entity: Entity) -> list[str]:
    """The texts of all errors of an entity."""
    return [error_text(item, entity) for item in errors_of(entity)]


def _target(entity: Entity) -> str:
    """The location that a Location entity stands for."""
    return f"{entity.type or 'url'}:{text_of(entity.spec.get('target'))}"
