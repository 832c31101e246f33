"""The meaning of a reference of OpenAPI or AsyncAPI by its place.

A place is the way from the root of a file: keys, and `[]` for an item of a list.
"""

from collections.abc import Mapping

Place = tuple[str, ...]
#: The file that a reference in a file leads to; absent: it stays as it is written.
Links = Mapping[tuple[str, str], str]

#: Kinds of components, by the key that holds one or several of the kind.
SECTIONS = {
    "schema": "schemas",
    "schemas": "schemas",
    "definitions": "schemas",
    "payload": "schemas",
    "properties": "schemas",
    "patternProperties": "schemas",
    "items": "schemas",
    "additionalProperties": "schemas",
    "allOf": "schemas",
    "oneOf": "schemas",
    "anyOf": "schemas",
    "not": "schemas",
    "prefixItems": "schemas",
    "$defs": "schemas",
    "parameters": "parameters",
    "responses": "responses",
    "requestBody": "requestBodies",
    "requestBodies": "requestBodies",
    "headers": "headers",
    "examples": "examples",
    "links": "links",
    "callbacks": "callbacks",
    "securitySchemes": "securitySchemes",
    "message": "messages",
    "messages": "messages",
    "traits": "messageTraits",
    "bindings": "messageBindings",
    "channel": "channels",
    "channels": "channels",
    "operations": "operations",
    "servers": "servers",
    "replies": "replies",
    "reply": "replies",
    "correlationId": "correlationIds",
}
#: For these there is no component in every release: they are put in their place.
IN_PLACE = frozenset({"paths", "pathItems", "webhooks"})
#: Objects whose keys are names that authors chose.
NAMED = frozenset(
    {
        *("properties", "patternProperties", "schemas", "definitions", "$defs"),
        *("parameters", "responses", "headers", "callbacks", "links", "paths"),
        *("channels", "operations", "messages", "servers", "requestBodies"),
        *("securitySchemes", "webhooks", "pathItems", "content", "examples"),
    }
)
#: The values of these keys are data: a `$ref` in them is an ordinary key.
DATA = frozenset({"example", "default", "enum", "const", "value"})


def section_within(place: Place) -> str:
    """The kind of component at a place; "": it is put in its place."""
    keys = [key for key in place if key != "[]"]
    if keys[-3:-2] == ["callbacks"]:
        return ""
    for distance, key in enumerate(reversed(keys)):
        # `items` may be the name of a field: its holder decides.
        above = keys[-distance - 2] if distance + 2 <= len(keys) else ""
        if distance == 0 and above in NAMED and above != "content":
            continue
        if key in IN_PLACE:
            return ""
        if key in SECTIONS:
            return SECTIONS[key]
        if distance > 0:
            break
    return "schemas"


def section_of(pointer: str) -> str:
    """The kind that a pointer's own words name: `#/components/responses/…`."""
    steps = pointer.split("/")[1:]
    if len(steps) == 3 and steps[0] == "components":
        return steps[1] if steps[1] not in IN_PLACE else ""
    if len(steps) == 2 and steps[0] in {"definitions", "schemas"}:
        return "schemas"
    return ""


def is_data(place: Place) -> bool:
    """Whether a place is inside of an example, a default or the like."""
    return any(
        key in DATA and (number == 0 or place[number - 1] not in NAMED)
        for number, key in enumerate(place)
    )


def is_reference(text: str) -> bool:
    """Whether a value of a discriminator's mapping is more than a schema's name."""
    file = text.partition("#")[0].lower()
    return "#" in text or file.endswith((".yaml", ".yml", ".json"))


def place_of(pointer: str, file: str, links: Links) -> tuple[str, str] | None:
    """The file and the pointer in it that a reference of `file` names.

    None: it stays as it is written, as anchors and addresses do that are not read.
    """
    target, _, inner = pointer.partition("#")
    target_file = links.get((file, target)) if target else file
    if target_file is None or (inner and not inner.startswith("/")):
        return None
    return target_file, inner
