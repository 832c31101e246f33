"""The installation's configuration: one YAML file with Backstage's section names.

An `app-config.yaml` of Backstage can be used: `${NAME}` and `${NAME:-default}` are
replaced from the environment, `$${` becomes `${`. Each service has a model of the
sections that it reads, and ignores the others. A missing variable or a value of a wrong
type is an error that names the key; an unknown key is a warning, whatever is in it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from shared.contracts.errors import Invalid
from shared.guards.regular_files import read_regular_file
from shared.guards.yaml_text import load_yaml
from shared.kit.config.values import is_reference, refuse_reference, value_of

#: Reads a text or a reference at a dotted key.
ReadValue = Callable[[Any, str], Any]


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

    def read(value: Any, key: str) -> str:
        try:
            return value_of(value, environ, path.parent)
        except Invalid as error:
            raise Invalid(f"{path}: {key}: {error.message}") from error

    try:
        return model.model_validate(fill_sections(read_file(path), model, read))
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise Invalid(f"{path}: {key}: {message_of(problem)}") from error


def message_of(problem: Mapping[str, Any]) -> str:
    """The rule that a value breaks, in the words of the model that has it."""
    return str(problem["msg"]).removeprefix("Value error, ")


def read_file(path: Path) -> dict[str, Any]:
    """The sections of a file, before variables are substituted.

    Raises:
        Invalid: naming the file and the reason.
    """
    try:
        body = read_regular_file(path)
    except OSError as error:
        raise Invalid(f"{path}: cannot be read: {error.strerror}") from error
    raw = load_yaml(body, label=str(path), settings=True)
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise Invalid(f"{path}: must hold an object with sections")
    if is_reference(raw):
        refuse_reference(raw, str(path))
    return raw


def fill_sections(
    raw: dict[str, Any], section: type[Section], read: ReadValue
) -> dict[str, Any]:
    """The sections with the values that `read` returns, and without nulls.

    Keys that the section does not read stay as they are written, so that nobody needs
    their variables; a section that ignores them loses them.
    """
    filled: dict[str, Any] = _fill(raw, NestedSections(section, False), read, "")
    return _without_nulls(filled)  # type: ignore[no-any-return]


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


def _fill(value: Any, nested: NestedSections, read: ReadValue, path: str) -> Any:
    if isinstance(value, str) or is_reference(value):
        return read(value, path.removesuffix("."))
    if isinstance(value, list):
        return [
            _fill(item, nested, read, f"{path}{index}.")
            for index, item in enumerate(value)
        ]
    if not isinstance(value, dict):
        return value
    if nested.section is None or nested.is_named:
        below = nested._replace(is_named=False)
        return {
            key: _fill(item, below, read, f"{path}{key}.")
            for key, item in value.items()
        }
    return _fill_section(value, nested.section, read, path)


def _fill_section(
    value: dict[str, Any], section: type[Section], read: ReadValue, path: str
) -> dict[str, Any]:
    keys = keys_of(section)
    filled: dict[str, Any] = {}
    for key, item in value.items():
        # Models also accept the names of their fields.
        nested = keys.get(key) or keys.get(to_camel(key))
        if nested is not None:
            filled[key] = _fill(item, nested, read, f"{path}{key}.")
        elif section.model_config.get("extra") != "ignore":
            filled[key] = item
    return filled


def _without_nulls(value: Any) -> Any:
    # An empty `guest:` means "with its defaults", as in Backstage.
    if isinstance(value, dict):
        providers = value.get("providers")
        if isinstance(providers, dict) and "guest" in providers:
            value = {**value, "providers": {**providers}}
            value["providers"]["guest"] = providers["guest"] or {}
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return value
