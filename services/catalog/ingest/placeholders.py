"""Placeholders: `$text`, `$json` and `$yaml` stand for another file's content.

`$openapi` and `$asyncapi` stand for a definition of several files (`bundling`). An
object is one if it has exactly one key and that is a known name (facts: 1.1.5); any
other key with a dollar is data.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shared.contracts.errors import CallboardError, Invalid
from shared.guards.addresses import require_no_password
from shared.guards.json_text import JsonLimits, load_json
from shared.guards.yaml_text import load_documents

Placeholder = tuple[str, str]
JSON = JsonLimits(size=10 * 1024 * 1024, nodes=500_000)


def _as_text(body: bytes) -> Any:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid("the file is not UTF-8 text") from error


def _as_json(body: bytes) -> Any:
    return load_json(body, label="the file", limits=JSON)


def _as_yaml(body: bytes) -> Any:
    documents = load_documents(body)
    if len(documents) != 1:
        raise Invalid(
            f"the file has {len(documents)} YAML documents, exactly 1 is needed"
        )
    return documents[0]


RESOLVERS: Mapping[str, Callable[[bytes], Any]] = {
    "$text": _as_text,
    "$json": _as_json,
    "$yaml": _as_yaml,
}
#: Of a path to a placeholder; it is written out for each value below.
LONGEST_PLACE = 1_000
BUNDLES = frozenset({"$openapi", "$asyncapi"})
NAMES = (*RESOLVERS, *sorted(BUNDLES))
_MARKS = tuple(name.encode() for name in NAMES)


def may_hold(body: bytes) -> bool:
    """Whether a descriptor's text can have placeholders at all."""
    return any(mark in body for mark in _MARKS)


def _placeholder(value: Mapping[str, Any]) -> Placeholder | None:
    if len(value) != 1:
        return None
    ((name, target),) = value.items()
    if name not in NAMES:
        return None
    if not isinstance(target, str) or not target:
        raise Invalid(f"{name}: needs the path or URL of a file")
    return name, target


def find(value: Any) -> Iterator[Placeholder]:
    """Every placeholder in a document.

    Raises:
        Invalid: if one names no file.
    """
    if isinstance(value, Mapping):
        placeholder = _placeholder(value)
        if placeholder is not None:
            yield placeholder
            return
        for item in value.values():
            yield from find(item)
    elif isinstance(value, list):
        for item in value:
            yield from find(item)


def find_all(documents: Sequence[Any]) -> list[Placeholder]:
    """The placeholders of all documents, each once.

    A document with a malformed one has none: its own check raises the error.
    """
    placeholders: dict[Placeholder, None] = {}
    for document in documents:
        try:
            placeholders.update(dict.fromkeys(find(document)))
        except Invalid:
            continue
    return list(placeholders)


def find_marks(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Where an object looks like a placeholder, with the name that it gives.

    Nothing is looked for below a path of more than `LONGEST_PLACE` characters.
    """
    if isinstance(value, Mapping) and len(place) <= LONGEST_PLACE:
        name = next(iter(value), "")
        if len(value) == 1 and str(name).startswith("$"):
            yield place, str(name)
        for key, item in value.items():
            yield from find_marks(item, f"{place}.{key}" if place else str(key))


def fill(value: Any, contents: Mapping[Placeholder, Any]) -> Any:
    """A copy of the document with each placeholder's content in its place.

    Raises:
        Invalid: if the content of one of them is an error, or its address has a
            password.
    """
    if isinstance(value, Mapping):
        placeholder = _placeholder(value)
        if placeholder is not None:
            # An error's message would repeat it.
            require_no_password(placeholder[1], placeholder[0])
            replacement = contents[placeholder]
            if isinstance(replacement, CallboardError):
                label = " ".join(placeholder)
                raise Invalid(f"placeholder {label}: {replacement.message}")
            return replacement
        return {key: fill(item, contents) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, contents) for item in value]
    return value


def content(name: str, body: bytes) -> Any:
    """What the placeholder `name` makes of a file.

    Raises:
        Invalid: if the file is not of the format that the name wants.
    """
    return RESOLVERS[name](body)
