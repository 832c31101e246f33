"""The installation's configuration: one YAML file with Backstage's section names.

An `app-config.yaml` can be given as it is: `${NAME}` (and `${NAME:-default}`) comes
from the environment, `$${` stays `${`. Each service has a model of the sections that it
reads and ignores the others. A missing variable or a value of another type is an error
that names the key; a key that a section does not know is a warning.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from shared.contracts.errors import Invalid
from shared.guards.yaml_text import load_yaml

#: The variable that lists, with commas, others that this process is not given because
#: it does not need them. They count as empty.
WITHHELD = "CALLBOARD_WITHHELD"
VARIABLE = re.compile(r"\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Section(BaseModel):
    """A section of the configuration; keys that it does not know are warnings."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


Config = TypeVar("Config", bound=Section)


def load_config(path: Path, environ: Mapping[str, str], model: type[Config]) -> Config:
    """The sections of `model` in the file `path`, `${NAME}` taken from `environ`.

    Raises:
        Invalid: naming the file or the key, and the rule.
    """
    filled = fill_variables(read_file(path), environ)
    try:
        return model.model_validate(filled)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"{path}: {where}: {first['msg']}") from error


def read_file(path: Path) -> dict[str, Any]:
    """The sections of a file as they are written.

    Raises:
        Invalid: naming the file, and why it cannot be read.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path}: cannot be read: {error.strerror}") from error
    # Operators know `on` and `yes`, and merge sections by `<<`.
    raw = load_yaml(body, label=str(path), old=True)
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise Invalid(f"{path}: must hold an object with sections")
    return raw


def fill_variables(raw: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The sections with variables of the environment in them, without nulls.

    Raises:
        Invalid: naming the key and the variable that is missing.
    """
    filled: dict[str, Any] = _without_nulls(_fill(raw, environ, ""))
    return filled


class UnknownKey(NamedTuple):
    """A dotted key that its section does not know, and the keys that it does know."""

    key: str
    known: Sequence[str]


class Below(NamedTuple):
    """What a key holds: a section, several of them, or (`is_named`) each by a name."""

    section: type[Section] | None
    is_named: bool


def keys_of(section: type[Section]) -> dict[str, Below]:
    """The keys of a section as they are written, each with what it holds."""
    return {
        field.alias or to_camel(name): _below(field.annotation)
        for name, field in section.model_fields.items()
    }


def _below(annotation: Any) -> Below:
    parts = [annotation, *get_args(annotation)]
    while any(new := [x for part in parts for x in get_args(part) if x not in parts]):
        parts += new
    sections = [each for each in parts if _is_section(each)]
    is_named = any(get_origin(each) is dict for each in parts)
    return Below(sections[0] if sections else None, is_named)


def _is_section(value: Any) -> TypeGuard[type[Section]]:
    return isinstance(value, type) and issubclass(value, Section)


def unknown_keys(section: type[Section], value: Any) -> Iterator[UnknownKey]:
    """The keys of a section, and of those in it, that mean nothing."""
    yield from _unknown(section, value, "")


def _unknown(section: type[Section], value: Any, path: str) -> Iterator[UnknownKey]:
    if not isinstance(value, dict):
        return
    known = keys_of(section)
    for key, item in value.items():
        name = str(key)
        if name in known:
            yield from _unknown_below(known[name], item, f"{path}{name}.")
        elif section.model_config.get("extra") == "allow":
            yield UnknownKey(f"{path}{name}", list(known))


def _unknown_below(below: Below, value: Any, path: str) -> Iterator[UnknownKey]:
    if below.section is None:
        return
    items: Iterable[tuple[Any, Any]] = [("", value)]
    if isinstance(value, list):
        items = enumerate(value)
    elif below.is_named and isinstance(value, dict):
        items = value.items()
    for name, item in items:
        place = f"{path}{name}." if name != "" else path
        yield from _unknown(below.section, item, place)


def _fill(value: Any, environ: Mapping[str, str], where: str) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _fill(item, environ, f"{where}.{key}" if where else str(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_fill(item, environ, f"{where}.{n}") for n, item in enumerate(value)]
    return _fill_text(value, environ, where) if isinstance(value, str) else value


def _fill_text(text: str, environ: Mapping[str, str], where: str) -> str:
    def replace(match: re.Match[str]) -> str:
        escaped, name, default = match.groups()
        if escaped:
            return match[0][1:]
        found: str | None = environ.get(name, default)
        if found is None and name in environ.get(WITHHELD, "").split(","):
            return ""
        if found is None:
            raise Invalid(f"{where}: the environment has no variable {name}")
        return found

    return VARIABLE.sub(replace, text)


def _without_nulls(value: Any) -> Any:
    # `guest:` with nothing after it means "with its defaults", as in Backstage.
    if isinstance(value, dict):
        providers = value.get("providers")
        if isinstance(providers, dict) and "guest" in providers:
            value = {**value, "providers": {**providers}}
            value["providers"]["guest"] = providers["guest"] or {}
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return value
