"""Reads a definition's text as JSON or YAML, and follows references inside it."""

from collections.abc import Container, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from services.portal.definitions.model import (
    Definition,
    Group,
    Unreadable,
    clip,
    join_texts,
    words,
)
from services.portal.definitions.siblings import SiblingRules, join_schemas
from services.portal.definitions.unshown_fields import (
    MOST_FIELDS,
    AbsentObject,
    UnshownFields,
)
from shared.contracts.entity import mapping_of
from shared.contracts.errors import Invalid, TooLarge
from shared.guards.budgets import Budget
from shared.guards.json_pointers import last_name, value_at
from shared.guards.json_text import JsonLimits, load_json
from shared.guards.yaml_text import YamlLimits, load_yaml

MOST_CHARACTERS = 5_000_000
MOST_REFERENCES = 40
#: Names of references that lead out of the text: kept in all, and shown on a page.
MOST_OUTSIDE = 200
OUTSIDE_SHOWN = 8
#: Steps of the walks through one definition, and seconds.
LEAST_STEPS, MOST_STEPS = 20_000, 250_000
MOST_SECONDS = 4.0
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


class FollowedSchema(NamedTuple):
    """A schema behind a reference: with what stands beside it, its name, and that."""

    schema: Mapping[str, Any]
    name: str
    beside: Mapping[str, Any]


class DefinitionDocument:
    """An object, the references inside it, and those that lead nowhere in it."""

    def __init__(self, root: Mapping[str, Any], text: str) -> None:
        self.root = root
        self.text = text
        self.outside: dict[str, None] = {}
        self.unshown = UnshownFields()
        self._sibling_rules = SiblingRules.of(root)

    def get(self, name: str) -> Any:
        """A field of the root."""
        return self.root.get(name)

    def follow(self, value: object) -> tuple[Mapping[str, Any], str]:
        """The object that `value` is or refers to, and the reference's last name.

        Of a reference that leads out of the text, or nowhere, the object says so.
        """
        target, name, siblings = self._target(value, self._sibling_rules.of_objects)
        return _with_siblings(target, siblings), name

    def follow_item(self, value: object) -> Mapping[str, Any]:
        """The path item or channel that `value` is or refers to, as `follow`."""
        target, _, siblings = self._target(value, self._sibling_rules.of_items)
        return _with_siblings(target, siblings)

    def follow_schema(self, value: object) -> FollowedSchema:
        """The schema that `value` is or refers to, as `follow`."""
        target, name, siblings = self._target(value, self._sibling_rules.of_schemas)
        beside: dict[str, Any] = {}
        for fields in reversed(siblings):
            beside = join_schemas(beside, fields)
        if not beside:
            return FollowedSchema(target, name, beside)
        if isinstance(target, AbsentObject):
            return FollowedSchema(_with_siblings(target, siblings), name, beside)
        return FollowedSchema(join_schemas(target, beside), name, beside)

    def own_fields(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a schema says itself: of a reference, what counts beside it."""
        if not isinstance(schema.get("$ref"), str):
            return schema
        return self._beside(schema, self._sibling_rules.of_schemas)

    def _beside(
        self, reference: Mapping[str, Any], counted: Container[str]
    ) -> Mapping[str, Any]:
        """What counts beside a reference, of its first fields."""
        fields = dict(islice(reference.items(), MOST_FIELDS + 2))
        fields.pop("$ref", None)
        self.unshown.check("references", fields, counted)
        return {key: item for key, item in fields.items() if key in counted}

    def _target(
        self, value: object, counted: Container[str]
    ) -> tuple[Mapping[str, Any], str, Sequence[Mapping[str, Any]]]:
        """What `value` leads to, its last name, and what counts beside references."""
        name = ""
        node = mapping_of(value)
        siblings: list[Mapping[str, Any]] = []
        for _ in range(MOST_REFERENCES):
            pointer = node.get("$ref")
            if not isinstance(pointer, str):
                return node, name, siblings
            name = last_name(pointer)[:200]
            siblings.append(self._beside(node, counted))
            is_inside = pointer == "#" or pointer.startswith("#/")
            target = value_at(self.root, pointer[1:]) if is_inside else None
            if not isinstance(target, Mapping):
                return AbsentObject(self._absent(pointer, name)), name, siblings
            node = target
        return {}, name, []

    def budget(self) -> Budget:
        """What the walks through the definition may cost, by its length."""
        nodes = min(MOST_STEPS, LEAST_STEPS + len(self.text) // 2)
        return Budget("definition", seconds=MOST_SECONDS, nodes=nodes)

    def definition(
        self,
        language: str,
        file_name: str,
        facts: Sequence[tuple[str, str]],
        groups: Sequence[Group],
    ) -> Definition:
        """The definition of these groups, with what the document's `info` says.

        `file_name` is what it downloads as, without the ending.
        """
        info = mapping_of(self.get("info"))
        ending = "json" if self.text.lstrip()[:1] == "{" else "yaml"
        return Definition(
            language=language,
            raw=self.text,
            file_name=f"{file_name}.{ending}",
            title=words(info.get("title")),
            version=words(info.get("version")),
            about=words(info.get("description")),
            facts=facts,
            groups=groups,
            notes=[*_outside_notes(list(self.outside)), *self.unshown.notes()],
        )

    def _absent(self, pointer: str, name: str) -> dict[str, Any]:
        if len(self.outside) < MOST_OUTSIDE:
            self.outside[pointer] = None
        problem = "leads nowhere" if pointer.startswith("#") else "is in another file"
        return {"name": name, "description": f"{pointer[:300]} {problem}."}


def _with_siblings(
    target: Mapping[str, Any], siblings: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
    """An object with what counts beside the references to it; the first one's wins."""
    if not any(siblings):
        return target
    beside = {
        key: item for fields in reversed(siblings) for key, item in fields.items()
    }
    if not isinstance(target, AbsentObject):
        return {**target, **beside}
    texts = (words(level.get("description")) for level in (beside, target))
    return AbsentObject({**target, **beside, "description": join_texts(*texts)})


def _outside_notes(pointers: Sequence[str]) -> list[str]:
    """What a page says of references that lead out of the text, or nowhere in it."""
    if not pointers:
        return []
    names = ", ".join(f"`{clip(pointer, 200)}`" for pointer in pointers[:OUTSIDE_SHOWN])
    more = len(pointers) - OUTSIDE_SHOWN
    rest = f" and {more} more" if more > 0 else ""
    elsewhere = any(not pointer.startswith("#") for pointer in pointers)
    hint = " `$openapi` or `$asyncapi` in the descriptor bundles files."
    return [
        f"References that are not part of this text: {names}{rest}."
        + (hint if elsewhere else "")
    ]


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
    return DefinitionDocument(root, text)


def _json(text: str) -> Any:
    try:
        return load_json(text, label="JSON", limits=JSON)
    except Invalid:
        # YAML may begin like JSON.
        return _yaml(text)


def _yaml(text: str) -> Any:
    return load_yaml(text, label="", limits=YAML, keep_written="numbers")
