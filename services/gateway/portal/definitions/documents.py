"""Reads a definition's text as JSON or YAML, and follows references inside it."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from services.gateway.portal.definitions.model import Unreadable, mapping

MOST_CHARACTERS = 2_000_000
MOST_REFERENCES = 40
DEEPEST = 150

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Mapping[str, Any]:
    """The object that the text holds.

    Raises:
        Unreadable: saying where and why, if it holds none.
    """
    if len(text) > MOST_CHARACTERS:
        raise Unreadable("The definition is longer than 2 MB; download it instead.")
    if text.count("*") > 1000 and text.count("&") > 1000:
        # A page follows aliases as often as they are named: an ocean from a thimble.
        raise Unreadable("The definition uses too many YAML aliases to be shown.")
    try:
        found = json.loads(text) if text.lstrip()[:1] == "{" else _yaml(text)
    except (json.JSONDecodeError, RecursionError):
        found = _yaml(text)
    if not isinstance(found, dict):
        raise Unreadable("The definition holds no object at its root.")
    return found


def _yaml(text: str) -> Any:
    try:
        _shallow(text)
        return yaml.load(text, Loader)  # noqa: S506 - both loaders are safe ones
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Unreadable(f"{error.problem or 'This is no YAML'}{where}.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Unreadable(f"This is no YAML: {error}") from error


def _shallow(text: str) -> None:
    """Raises Unreadable for what is nested deeply.

    libyaml composes by recursion, in C, and would take the whole process with it.
    """
    depth = 0
    for event in yaml.parse(text, Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise Unreadable("The definition is nested too deeply to be shown.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def follow(document: Mapping[str, Any], value: object) -> tuple[Mapping[str, Any], str]:
    """The object that `value` is or refers to, and the reference's last name.

    References out of the document and those that lead nowhere give an empty object.
    """
    name = ""
    found = mapping(value)
    for _ in range(MOST_REFERENCES):
        pointer = found.get("$ref")
        if not isinstance(pointer, str):
            return found, name
        name = pointer.rpartition("/")[2]
        found = mapping(_at(document, pointer))
    return {}, name


def _at(document: Mapping[str, Any], pointer: str) -> object:
    if not pointer.startswith("#/"):
        return None
    found: object = document
    for step in pointer[2:].split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found
