"""The whole configuration file: the sections of all services, checked at once."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from services.catalog.configuration import CatalogSection
from services.gateway.configuration import (
    AppSection,
    Auth,
    Organization,
    PermissionSection,
)
from services.scaffolder.configuration import ScaffolderSection
from services.techdocs.configuration import TechdocsSection
from shared.contracts.errors import Invalid
from shared.guards.yaml_lines import locate
from shared.kit.config.integrations import Backend, Integrations
from shared.kit.config.sections import (
    VARIABLE,
    Section,
    read_file,
    substitute_variables,
    unknown_keys,
)
from shared.kit.config.tracing import TracingSection

#: Stands for the value of a variable that is not set, where that is allowed.
PLACEHOLDER = "variable"


class PortalConfig(Section):
    """The configuration of an installation (`app-config.yaml`)."""

    app: AppSection = Field(default_factory=AppSection)
    organization: Organization = Field(default_factory=Organization)
    backend: Backend = Field(default_factory=Backend)
    catalog: CatalogSection = Field(default_factory=CatalogSection)
    integrations: Integrations = Field(default_factory=Integrations)
    auth: Auth = Field(default_factory=Auth)
    permission: PermissionSection = Field(default_factory=PermissionSection)
    techdocs: TechdocsSection = Field(default_factory=TechdocsSection)
    scaffolder: ScaffolderSection = Field(default_factory=ScaffolderSection)
    tracing: TracingSection = Field(default_factory=TracingSection)


@dataclass(frozen=True, slots=True)
class Problem:
    """A key with a wrong value, or (`is_unknown`) one that means nothing here."""

    line: int | None
    key: str
    message: str
    is_unknown: bool = False

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return asdict(self)


def check_config(
    path: Path, environ: Mapping[str, str], *, needs_variables: bool = True
) -> list[Problem]:
    """All that is wrong with a configuration file, in the order of its lines.

    Without `needs_variables`, values that come from variables which are not set are
    not checked.

    Raises:
        Invalid: if the file cannot be read at all.
    """
    raw = read_file(path)
    places = dict(_variables(raw, ""))
    missing = {
        key: names
        for key, names in places.items()
        if any(name not in environ for name in names)
    }
    defaults = {name: PLACEHOLDER for names in missing.values() for name in names}
    filled = substitute_variables(raw, {**defaults, **environ})
    problems = [*_wrong_values(filled, missing), *_unknown_keys(filled)]
    if needs_variables:
        problems += [
            Problem(None, key, f"the environment has no variable {name}")
            for key, names in missing.items()
            for name in names
            if name not in environ
        ]
    return _with_lines(path.read_bytes(), problems)


def _variables(value: Any, where: str) -> Iterator[tuple[str, list[str]]]:
    """The keys whose texts need variables that have no default, and their names."""
    if isinstance(value, str):
        names = [
            found[2]
            for found in VARIABLE.finditer(value)
            if not found[1] and found[3] is None
        ]
        if names:
            yield where, names
        return
    for key, item in _items(value):
        yield from _variables(item, f"{where}.{key}" if where else key)


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(str(key), item) for key, item in value.items()]
    if isinstance(value, list):
        return [(str(number), item) for number, item in enumerate(value)]
    return []


def _wrong_values(filled: Any, missing: Mapping[str, Any]) -> list[Problem]:
    try:
        PortalConfig.model_validate(filled)
    except ValidationError as error:
        found = (
            Problem(None, _path(filled, each["loc"]), each["msg"])
            for each in error.errors(include_url=False, include_input=False)
        )
        unique = {each.key: each for each in found}
        return [each for key, each in unique.items() if key not in missing]
    return []


def _path(value: Any, parts: Sequence[int | str]) -> str:
    """The dotted key of an error; parts that name a choice of types are left out."""
    keys = []
    for number, part in enumerate(parts):
        children = dict(_items(value))
        is_last = number == len(parts) - 1
        if str(part) in children:
            keys.append(str(part))
            value = children[str(part)]
        elif is_last and isinstance(value, dict):
            keys.append(str(part))
    return ".".join(keys)


def _unknown_keys(filled: Any) -> Iterator[Problem]:
    for key, known in unknown_keys(PortalConfig, filled):
        near = difflib.get_close_matches(key.rpartition(".")[2], known, n=1)
        advice = f"; did you mean {near[0]}?" if near else ""
        yield Problem(None, key, f"means nothing here{advice}", is_unknown=True)


def _with_lines(body: bytes, problems: Sequence[Problem]) -> list[Problem]:
    try:
        found = locate(body, {0: [each.key for each in problems]})
    except Invalid:
        return list(problems)
    if not found:
        return list(problems)
    placed = [
        replace(each, line=line)
        for each, line in zip(problems, found[0].fields, strict=True)
    ]
    return sorted(placed, key=lambda each: (each.line or 0, each.key))


def json_schema() -> str:
    """A JSON Schema of the file, for editors."""
    schema = PortalConfig.model_json_schema(by_alias=True, mode="validation")
    return json.dumps(schema, indent=2, sort_keys=True)
