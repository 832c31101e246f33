"""The words by which an API is found: names, paths and summaries of its operations.

For search, not for a page: no schemas, no references followed, bounded in length. What
cannot be read has no words.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from shared.contracts.catalog import SEARCHED_CHARACTERS
from shared.contracts.entity import mapping_of
from shared.contracts.errors import CallboardError
from shared.guards.json_text import JsonLimits, load_json
from shared.guards.yaml_text import YamlLimits, load_yaml

LANGUAGES = frozenset({"openapi", "swagger", "asyncapi", "graphql", "grpc", "protobuf"})
MOST_OPERATIONS = 2_000
LONGEST = 200
METHODS = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "trace", "query"}
)
_YAML = YamlLimits(depth=150, nodes=2_000_000, aliases=5_000)
_JSON = JsonLimits(size=6_000_000, depth=150, nodes=2_000_000)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_GRAPHQL = re.compile(
    r"^(?:extend[ \t]+)?type[ \t]+(Query|Mutation|Subscription)\b"
    r"|^[ \t]+(\w+)[ \t]*[(:]|^(\})",
    re.MULTILINE,
)
_PROTO = re.compile(r"\b(service|rpc)[ \t]+(\w+)")


def operation_text(kind: str, text: str) -> str:
    """The words of a definition whose API is of the type `kind`; "" for others."""
    words: dict[str, None] = {}
    length = 0
    try:
        for word in islice(_words(kind.lower(), text), MOST_OPERATIONS * 8):
            if word in words:
                continue
            length += len(word) + 1
            if length > SEARCHED_CHARACTERS:
                break
            words[word] = None
    except (CallboardError, RecursionError):
        # The API's page names the error.
        return ""
    return " ".join(words)


def _words(kind: str, text: str) -> Iterator[str]:
    match kind:
        case "openapi" | "swagger":
            document = mapping_of(_load(text))
            for field in ("paths", "webhooks"):
                yield from _openapi(document.get(field))
            # What `paths` refer to.
            yield from _openapi(mapping_of(document.get("components")).get("pathItems"))
        case "asyncapi":
            yield from _asyncapi(mapping_of(_load(text)))
        case "graphql":
            yield from _graphql(text)
        case "grpc" | "protobuf":
            for match in _PROTO.finditer(text):
                yield from _name(match[2])


def _load(text: str) -> Any:
    if text.lstrip()[:1] == "{":
        return load_json(text, label="definition", limits=_JSON)
    return load_yaml(text, label="definition", limits=_YAML)


def _openapi(paths: Any) -> Iterator[str]:
    for path, item in islice(mapping_of(paths).items(), MOST_OPERATIONS):
        yield _short(path)
        for method, operation in mapping_of(item).items():
            if method not in METHODS or not isinstance(operation, Mapping):
                continue
            # As people name an operation: "GET /orders".
            yield method.upper()
            yield from _name(operation.get("operationId"))
            yield _short(operation.get("summary"))
            tags = operation.get("tags")
            yield from map(_short, tags[:10] if isinstance(tags, list) else ())
            yield from _callbacks(operation.get("callbacks"))


def _callbacks(callbacks: Any) -> Iterator[str]:
    for name, requests in islice(mapping_of(callbacks).items(), 20):
        yield from _name(name)
        yield from _openapi(requests)


def _asyncapi(document: Mapping[str, Any]) -> Iterator[str]:
    for field in ("channels", "operations"):
        entries = mapping_of(document.get(field)).items()
        for name, item in islice(entries, MOST_OPERATIONS):
            yield from _name(name)
            yield from _described(mapping_of(item))
    components = mapping_of(document.get("components"))
    for name, item in islice(
        mapping_of(components.get("messages")).items(), MOST_OPERATIONS
    ):
        yield from _name(name)
        yield from _described(mapping_of(item))


def _described(item: Mapping[str, Any]) -> Iterator[str]:
    for field in ("address", "title", "name", "summary", "description"):
        yield _short(item.get(field))
    for field in ("publish", "subscribe"):
        operation = mapping_of(item.get(field))
        yield from _name(operation.get("operationId"))
        yield _short(operation.get("summary"))
    for name, message in islice(mapping_of(item.get("messages")).items(), 20):
        yield from _name(name)
        yield _short(mapping_of(message).get("title"))
        yield _short(mapping_of(message).get("summary"))


def _graphql(text: str) -> Iterator[str]:
    is_inside = False
    for match in _GRAPHQL.finditer(text):
        if match[1]:
            is_inside = True
        elif match[3]:
            is_inside = False
        elif is_inside:
            yield from _name(match[2])


def _name(value: Any) -> Iterator[str]:
    """A name, and its parts: `listOrders` is found by "orders" too."""
    name = _short(value)
    yield name
    parts = _HUMP.sub(" ", name)
    if parts != name:
        yield parts


def _short(value: Any) -> str:
    """One line of what should be a text."""
    return " ".join(value[:LONGEST].split()) if isinstance(value, str) else ""
