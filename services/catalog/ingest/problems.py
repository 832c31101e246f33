"""Problems of a source, as items of the `status` of the entities that come from it.

A file that cannot be read or parsed concerns all entities that come from it; a document
that is invalid concerns its own entity. Items of the same problem are equal, however
often it is met: `error.since` is when it was met first.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from services.catalog.ingest.candidates import refused_ref, status_item
from services.catalog.ingest.refusals import Refusal
from services.catalog.model import (
    FileState,
    StatusItemJson,
)
from shared.contracts.annotations import EDIT_URL, RESTRICTED
from shared.contracts.errors import (
    CallboardError,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    Unavailable,
)
from shared.guards.lfs_pointers import is_lfs_pointer

#: A host that does not answer for so long is a problem of its entities as well.
UNAVAILABLE_GRACE = timedelta(hours=1)
#: Items of one file's invalid documents, and of one Location entity.
FILE_ITEMS = 100
LOCATION_ITEMS = 200
#: Refused names of one file that it takes over as soon as they are free; the scan finds
#: the others.
REFUSED_NAMES = 1000
#: Items of one entity for documents that may be its own.
ENTITY_ITEMS = 3
#: The last place in a message: advice may follow it, a quoted key may go before it.
_LINE = re.compile(r"(?s).* at line (\d+), column (\d+)(?:$|: |; )")
#: The field of an item's error that says where its file is edited.
EDIT_FIELD = "editUrl"
_SINCE = "%Y-%m-%d %H:%M UTC"


#: Of a file in which an entity is invalid that not everybody may see.
HIDDEN_INVALID = "an entity that not everybody may see is invalid; see its own page"
#: Of a text that cannot be parsed.
SKELETON = "it reads like a file of a template's skeleton"
NO_DESCRIPTOR = (
    "it is no descriptor: that is a YAML file with apiVersion, kind, metadata and spec"
)
#: In UTF-8 and UTF-16: every descriptor has the word.
_DECLARATIONS = [
    "apiVersion".encode(name) for name in ("utf-8", "utf-16-le", "utf-16-be")
]


class BrokenFile(Invalid):
    """A file that was read, but that cannot be parsed into documents.

    `is_restricted`: one of them seems to ask to be hidden.
    """

    def __init__(self, message: str, *, is_restricted: bool = False) -> None:
        super().__init__(message)
        self.is_restricted = is_restricted


def is_about_restricted(item: StatusItemJson) -> bool:
    """Whether an item is about a document that asks to be hidden, or may mean to."""
    return bool(item["error"].get(RESTRICTED))


def restricted_item(item: StatusItemJson) -> StatusItemJson:
    """The item, as one about a document that asks to be hidden."""
    return {**item, "error": {**item["error"], RESTRICTED: True}}


def is_about_contents(item: StatusItemJson) -> bool:
    """Whether an item is about a descriptor's text.

    It is about none if there is no file, or if that belongs to a template's skeleton.
    """
    error = item["error"]
    return bool(error.get("name") != NotFound.name and not is_of_skeleton(item))


def is_of_skeleton(item: StatusItemJson) -> bool:
    """Whether a refused text has a template's marks, such as `${{ values.name }}`."""
    message = item["message"]
    return SKELETON in message or "{{" in message


def with_edit_url(
    items: Sequence[StatusItemJson], links: Mapping[str, str]
) -> tuple[StatusItemJson, ...]:
    """The items of a file, with the address where that file is edited.

    A Location shows the errors of other files too: `links` are those of the file.
    """
    url = links.get(EDIT_URL)
    if not url:
        return tuple(items)
    return tuple(
        {**item, "error": {**item["error"], EDIT_FIELD: url}} for item in items
    )


def failure_item(
    error: CallboardError, before: Sequence[StatusItemJson], now: datetime
) -> StatusItemJson:
    """The item of a file that cannot be read; the earlier item of the same problem."""
    item = status_item(error)
    # What the file asked for while it could be read, it still asks for.
    if getattr(error, "is_restricted", False) or any(map(is_about_restricted, before)):
        item = restricted_item(item)
    for old_item in before:
        old_error = old_item["error"]
        if "since" in old_error and _same(old_error, item["error"]):
            is_restricted = is_about_restricted(item)
            return restricted_item(old_item) if is_restricted else old_item
    message = f"{item['message']} (since {now.strftime(_SINCE)}). {_advice(error)}"
    place = place_in(error.message) if isinstance(error, BrokenFile) else {}
    since = {"since": now.isoformat(timespec="seconds"), **place}
    return {**item, "message": message, "error": {**item["error"], **since}}


def refusal_item(refusal: Refusal) -> StatusItemJson:
    """The item of a document that is no valid entity, with where it begins."""
    item = status_item(refusal.located_error)
    marks: dict[str, str | int] = {}
    if refusal.ref is not None:
        marks["entityRef"] = refusal.ref
    if refusal.first_line is not None:
        marks["line"] = refusal.first_line
    if refusal.owner:
        marks["owner"] = refusal.owner
    if refusal.is_restricted:
        marks[RESTRICTED] = True
    return {**item, "error": {**item["error"], **marks}}


def limit_items(
    items: Sequence[StatusItemJson], limit: int, total: int | None = None
) -> tuple[StatusItemJson, ...]:
    """The first items, and one with the number of the others, of `total` in all."""
    count = len(items) if total is None else total
    if count <= limit:
        return tuple(items)
    last_item = status_item(Invalid(f"and {count - limit:,} more errors"))
    return (*items[:limit], last_item)


def items_of_file(refusals: Sequence[Refusal]) -> tuple[StatusItemJson, ...]:
    """The items of the first documents that are refused, and one for the others.

    Only as many are made as are stored: a file may have 100,000 such documents.
    """
    items = [refusal_item(refusal) for refusal in refusals[:FILE_ITEMS]]
    limited_items = limit_items(items, FILE_ITEMS, len(refusals))
    if any(refusal.is_restricted for refusal in refusals[FILE_ITEMS:]):
        return (*limited_items[:-1], restricted_item(limited_items[-1]))
    return limited_items


def items_of_entity(ref: str, state: FileState) -> tuple[StatusItemJson, ...]:
    """The items of a file that concern one entity of it."""
    return tuple(
        item
        for item in state.errors
        if "since" in item["error"] or item["error"].get("entityRef") == ref
    )


def refused_name_items(state: FileState) -> list[StatusItemJson]:
    """The items of a file that stay while it cannot be read: refused names."""
    return [item for item in state.errors if refused_ref(item)]


def is_lasting(item: StatusItemJson, now: datetime) -> bool:
    """Whether a file's problem concerns its entities.

    An error of the source or the file does from the first moment, a host that does not
    answer only after a while.
    """
    if item["error"]["name"] != Unavailable.name:
        return True
    return now - datetime.fromisoformat(item["error"]["since"]) >= UNAVAILABLE_GRACE


def in_general(item: StatusItemJson, location: str) -> StatusItemJson:
    """The item without words of a file that restricted entities come from, too."""
    error = item["error"]
    has_position = "line" in error and "column" in error
    place = ""
    if has_position:
        place = f" at line {error['line']}, column {error['column']}"
    if "since" not in error:
        text = HIDDEN_INVALID
    else:
        text = f"it cannot be read, because of an error{place}"
    message = f"{error['name']}: {location}: {text}"
    rest = {
        name: error[name] for name in ("name", "since", EDIT_FIELD) if name in error
    }
    return {**item, "message": message, "error": {**rest, "message": text}}


def _same(error: StatusItemJson, old_error: StatusItemJson) -> bool:
    if error["name"] != old_error["name"]:
        return False
    # All errors of a host that does not answer count as the same.
    return error["name"] == Unavailable.name or bool(
        error["message"] == old_error["message"]
    )


def place_in(message: str) -> dict[str, int]:
    """The line and column that the error of a text names; empty if it names none."""
    place = _LINE.match(message)
    return {"line": int(place[1]), "column": int(place[2])} if place else {}


def _advice(error: CallboardError) -> str:
    if isinstance(error, BrokenFile):
        return "Correct the file there; what it brought stays as it was until then"
    if isinstance(error, Unavailable):
        return "It is tried again; see whether its host answers"
    if isinstance(error, Forbidden):
        return "Allow it, or unregister the location"
    if isinstance(error, (Invalid, TooLarge)):
        return "Correct it there, or unregister the location"
    return (
        "See whether it is still there and the portal's token may read it, or "
        "unregister the location"
    )


def with_text_advice(message: str, body: bytes) -> str:
    """The error of a text that cannot be parsed, with what the text may be instead."""
    if is_lfs_pointer(body):
        return message
    if any(mark in body for mark in (b"${{", b"{%", b"{{ cookiecutter.")):
        return f"{message}; {SKELETON}"
    if not any(declaration in body for declaration in _DECLARATIONS):
        return f"{message}; {NO_DESCRIPTOR}"
    return message
