"""The installation's configuration: one YAML file with Backstage's section names.

An `app-config.yaml` of Backstage can be used: `${NAME}` and `${NAME:-default}` are
replaced from the environment, `$${` becomes `${`. Each service has a model of the
sections that it reads, and ignores the others. A missing variable or a value of a wrong
type is an error that names the key; an unknown key is a warning.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from shared.contracts.errors import Invalid
from shared.guards.yaml_text import load_yaml

#: The variable that lists, separated by commas, variables that this process does not
#: get because it does not need them. They count as empty.
WITHHELD = "CALLBOARD_WITHHELD"
VARIABLE = re.compile(r"\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Section(BaseModel):
    """A section of the configuration; unknown keys are warnings."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


Config = TypeVar("Config", bound=Section)


def load_config(path: Path, environ: Mapping[str, str], model: type[Config]) -> Config:
    """Load the sections of `model` from the file `path`.

    Raises:
        Invalid: naming the file or the key, and the rule.
    """
    filled = substitute_variables(_read_keys(read_file(path), model), environ)
    try:
        return model.model_validate(filled)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise Invalid(f"{path}: {key}: {problem['msg']}") from error


def read_file(path: Path) -> dict[str, Any]:
    """The sections of a file, before variables are substituted.

    Raises:
        Invalid: naming the file and the reason.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path}: cannot be read: {error.strerror}") from error
    # Operators use `on` and `yes`, and merge sections by `<<`.
    raw = load_yaml(body, label=str(path), old=True)
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise Invalid(f"{path}: must hold an object with sections")
    return raw


def substitute_variables(
    raw: dict[str, Any], environ: Mapping[str, str]
) -> dict[str, Any]:
    """Replace the variables in the sections by their values, and drop nulls.

    Raises:
        Invalid: naming the key and the variable that is missing.
    """
    filled: dict[str, Any] = _without_nulls(_fill(raw, environ, ""))
    return filled


def _read_keys(value: dict[str, Any], section: type[Section]) -> dict[str, Any]:
    """The keys that a section reads; without the variables of keys that it ignores."""
    keys = keys_of(section)
    ignores = section.model_config.get("extra") == "ignore"
    read: dict[str, Any] = {}
    for key, item in value.items():
        below = keys.get(str(key))
        if below is None and ignores:
            continue
        is_section = below is not None and isinstance(item, dict) and not below.is_named
        inner = below.section if below is not None and is_section else None
        read[key] = item if inner is None else _read_keys(item, inner)
    return read


class UnknownKey(NamedTuple):
    """An unknown dotted key, and the keys that its section has."""

    key: str
    known_keys: Sequence[str]


class NestedSections(NamedTuple):
    """The sections below a key; with `is_named`, the key maps names to sections."""

    section: type[Section] | None
    is_named: bool


def keys_of(section: type[Section]) -> dict[str, NestedSections]:
    """The keys of a section in their written form, each with its nested sections."""
    return {
        field.alias or to_camel(name): _nested_sections(field.annotation)
        for name, field in section.model_fields.items()
    }


def _nested_sections(annotation: Any) -> NestedSections:
    parts = [annotation, *get_args(annotation)]
    while any(
        new := [
            argument
            for part in parts
            for argument in get_args(part)
            if argument not in parts
        ]
    ):
        parts += new
    sections = [nested for nested in parts if _is_section(nested)]
    is_named = any(get_origin(nested) is dict for nested in parts)
    return NestedSections(sections[0] if sections else None, is_named)


def _is_section(value: Any) -> TypeGuard[type[Section]]:
    return isinstance(value, type) and issubclass(value, Section)


def unknown_keys(section: type[Section], value: Any) -> Iterator[UnknownKey]:
    """The unknown keys of a section and of its nested sections."""
    yield from _unknown(section, value, "")


def _unknown(section: type[Section], value: Any, path: str) -> Iterator[UnknownKey]:
    if not isinstance(value, dict):
        return
    nested_by_key = keys_of(section)
    for key, item in value.items():
        name = str(key)
        if name in nested_by_key:
            yield from _unknown_nested(nested_by_key[name], item, f"{path}{name}.")
        elif section.model_config.get("extra") == "allow":
            yield UnknownKey(f"{path}{name}", list(nested_by_key))


def _unknown_nested(
    nested: NestedSections, value: Any, path: str
) -> Iterator[UnknownKey]:
    if nested.section is None:
        return
    items: Iterable[tuple[Any, Any]] = [("", value)]
    if isinstance(value, list):
        items = enumerate(value)
    elif nested.is_named and isinstance(value, dict):
        items = value.items()
    for name, item in items:
        item_path = f"{path}{name}." if name != "" else path
        yield from _unknown(nested.section, item, item_path)


def _fill(value: Any, environ: Mapping[str, str], path: str) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _fill(item, environ, f"{path}.{key}" if path else str(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            _fill(item, environ, f"{path}.{index}") for index, item in enumerate(value)
        ]
    return _fill_text(value, environ, path) if isinstance(value, str) else value


def _fill_text(text: str, environ: Mapping[str, str], path: str) -> str:
    def replace(match: re.Match[str]) -> str:
        escaped, name, default = match.groups()
        if escaped:
            return match[0][1:]
        value: str | None = environ.get(name, default)
        if value is None and name in environ.get(WITHHELD, "").split(","):
            return ""
        if value is None:
            raise Invalid(f"{path}: the environment has no variable {name}")
        return value

    return VARIABLE.sub(replace, text)


def _without_nulls(value: Any) -> Any:
    # An empty `guest:` means "with its defaults", as in Backstage.
    if isinstance(value, dict):
        providers = value.get("providers")
        if isinstance(providers, dict) and "guest" in providers:
            value = {**value, "providers": {**providers}}
            value["providers"]["guest"] = providers["guest"] or {}
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return value
