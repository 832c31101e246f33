"""Reads a definition's text as JSON or YAML, and follows references inside it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from services.portal.definitions.model import Unreadable, mapping
from shared.contracts.errors import Invalid, TooLarge
from shared.guards.json_text import JsonLimits, load_json
from shared.guards.numbers import whole_number
from shared.guards.yaml_text import YamlLimits, load_yaml

MOST_CHARACTERS = 5_000_000
MOST_REFERENCES = 40
#: Names of references that lead out of the text, as many as a page lists.
MOST_OUTSIDE = 200
#: Generated definitions repeat an anchor by the hundred; what the aliases stand for in
#: all is what a page may have to walk.
YAML = YamlLimits(
    size=MOST_CHARACTERS,
    depth=150,
    nodes=2_000_000,
    aliases=5_000,
    expansion=100_000,
)
JSON = JsonLimits(size=MOST_CHARACTERS, depth=150, nodes=2_000_000)


class DefinitionDocument:
    """An object, the references inside it, and those that lead nowhere in it."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root
        self.outside: dict[str, None] = {}

    def get(self, name: str) -> Any:
        """A field of the root."""
        return self.root.get(name)

    def follow(self, value: object) -> tuple[Mapping[str, Any], str]:
        """The object that `value` is or refers to, and the reference's last name.

        What stands beside a reference (OpenAPI 3.1) wins over what it leads to. Of a
        reference that leads out of the text, or nowhere, the object says so.
        """
        name = ""
        found = mapping(value)
        beside: dict[str, Any] = {}
        for _ in range(MOST_REFERENCES):
            pointer = found.get("$ref")
            if not isinstance(pointer, str):
                return ({**found, **beside} if beside else found), name
            name = _last_name(pointer)
            siblings = {key: each for key, each in found.items() if key != "$ref"}
            beside = {**siblings, **beside}
            target = _at(self.root, pointer)
            if not isinstance(target, Mapping):
                return {**self._absent(pointer, name), **beside}, name
            found = target
        return {}, name

    def _absent(self, pointer: str, name: str) -> dict[str, Any]:
        if len(self.outside) < MOST_OUTSIDE:
            self.outside[pointer] = None
        where = "leads nowhere" if pointer.startswith("#") else "is in another file"
        return {"name": name, "description": f"{pointer[:300]} {where}."}


def load(text: str) -> DefinitionDocument:
    """The object that the text holds.

    Raises:
        Unreadable: saying where and why, if it holds none.
    """
    if len(text) > MOST_CHARACTERS:
        raise Unreadable("The definition is longer than 5 MB; download it instead.")
    try:
        root = _json(text) if text.lstrip()[:1] == "{" else _yaml(text)
    except (Invalid, TooLarge) as error:
        raise Unreadable(f"{error.message}.") from error
    if not isinstance(root, dict):
        raise Unreadable("The definition holds no object at its root.")
    return DefinitionDocument(root)


def _json(text: str) -> Any:
    try:
        return load_json(text, label="JSON", limits=JSON)
    except Invalid:
        # YAML may begin like JSON.
        return _yaml(text)


def _yaml(text: str) -> Any:
    return load_yaml(text, label="", limits=YAML, keep_numbers=True)


def _last_name(pointer: str) -> str:
    """What a reference is called: `Seat` of `#/components/schemas/Seat`."""
    step = pointer.rpartition("/")[2]
    return step.replace("~1", "/").replace("~0", "~")[:200]


def _at(root: Mapping[str, Any], pointer: str) -> object:
    if pointer == "#":
        return root
    if not pointer.startswith("#/"):
        return None
    found: object = root
    for step in pointer[2:].split("/", 40):
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(key, found.get(_decoded(key)))
        elif isinstance(found, list):
            place = whole_number(key, limit=len(found) - 1)
            found = None if place is None else found[place]
        else:
            return None
    return found


def _decoded(key: str) -> str:
    """A step of a reference may be percent-encoded, being part of a URI."""
    return unquote(key) if "%" in key else key
