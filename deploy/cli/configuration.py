"""Checks the whole configuration file, with the sections of all services."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from deploy.cli import configuration_warnings as warnings
from deploy.cli.backstage_keys import backstage_advice
from services.catalog.configuration import CatalogSection
from services.catalog.descriptor_checks import read_kinds
from services.gateway.configuration import (
    AppSection,
    Auth,
    PermissionSection,
)
from services.portal.configuration import Organization
from services.scaffolder.configuration import ScaffolderSection
from services.techdocs.allowed_plugins import PLUGIN_RULE, SAFE_PLUGINS
from services.techdocs.configuration import TechdocsSection
from shared.contracts.errors import Invalid
from shared.guards.regular_files import read_regular_file
from shared.guards.yaml_lines import locate
from shared.kit.config.integrations import Backend, Integrations
from shared.kit.config.sections import (
    Section,
    fill_sections,
    message_of,
    read_file,
    unknown_keys,
)
from shared.kit.config.tracing import TracingSection
from shared.kit.config.values import MissingVariable, value_of

#: Stands for a value that cannot be read, such as that of a variable that is not set.
PLACEHOLDER = "variable"
#: The keys that name the hosts that the portal may read.
HOST_KEYS = re.compile(r"integrations\b|backend(\.reading\b|$)")


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
    """A key with a wrong value, an unknown key, or a value that leads nowhere."""

    line: int | None
    key: str
    message: str
    level: Literal["error", "unknown", "warning"] = "error"

    def as_json(self) -> dict[str, Any]:
        """The problem as JSON for scripts."""
        return asdict(self)


def check_config(
    path: Path, environ: Mapping[str, str], *, needs_variables: bool = True
) -> list[Problem]:
    """All problems of a configuration file, in the order of its lines.

    Without `needs_variables`, values from variables that are not set are not checked.

    Raises:
        Invalid: if the file cannot be read at all.
    """
    missing: dict[str, str] = {}
    broken: dict[str, str] = {}

    def read(value: Any, key: str) -> str:
        try:
            return value_of(value, environ, path.parent)
        except MissingVariable as error:
            missing[key] = error.message
        except Invalid as error:
            broken[key] = error.message
        return PLACEHOLDER

    config = fill_sections(read_file(path), PortalConfig, read)
    wrong = list(_wrong_values(config))
    refused = {**broken, **missing} if needs_variables else broken
    without_value = missing.keys() | broken.keys()
    values = [
        *wrong,
        *_broken_kinds(config, path.parent),
        *_warnings(config, path.parent, {item.key for item in wrong}, without_value),
    ]
    problems = [
        *(Problem(None, key, message) for key, message in refused.items()),
        *_unknown_keys(config),
        *_refused_plugins(config),
        *(problem for problem in values if problem.key not in without_value),
    ]
    return _with_lines(read_regular_file(path), problems)


def _warnings(
    config: dict[str, Any], folder: Path, wrong: set[str], without_value: set[str]
) -> Iterator[Problem]:
    """Values that lead nowhere, in the keys of sections that have no wrong value."""
    usable = _usable(config, wrong)
    warned_values = [
        *warnings.repeated_hosts(usable.integrations),
        *warnings.ignored_locations(usable.catalog),
        *warnings.absent_files(usable.catalog, folder),
        *warnings.unknown_kinds(usable.catalog, folder),
        *warnings.unknown_environment(usable.auth),
        *warnings.open_owner_kinds(usable.catalog, usable.permission, usable.auth),
    ]
    unread_hosts = {key for key in without_value if key.endswith(".host")}
    if not any(HOST_KEYS.match(key) for key in wrong | unread_hosts):
        warned_values += warnings.unreadable_sources(
            usable.catalog, usable.integrations, usable.backend
        )
    for key, message in warned_values:
        yield Problem(None, key, message, level="warning")


def _usable(config: dict[str, Any], wrong: set[str]) -> PortalConfig:
    """The configuration without the keys of sections that have a wrong value."""
    without = {tuple(key.split(".")[:2]) for key in wrong}
    sections = {
        name: {key: item for key, item in section.items() if (name, key) not in without}
        for name, section in config.items()
        if isinstance(section, dict)
    }
    try:
        return PortalConfig.model_validate(sections)
    except ValidationError:
        return PortalConfig()


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(str(key), item) for key, item in value.items()]
    if isinstance(value, list):
        return [(str(number), item) for number, item in enumerate(value)]
    return []


def _wrong_values(config: Any) -> Iterator[Problem]:
    try:
        PortalConfig.model_validate(config)
    except ValidationError as error:
        messages = {
            _path(config, detail["loc"]): message_of(detail)
            for detail in error.errors(include_url=False, include_input=False)
        }
        for key, message in messages.items():
            yield Problem(None, key, message)


def _path(value: Any, parts: Sequence[int | str]) -> str:
    """The dotted key of an error, without pydantic's names of union members."""
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


def _unknown_keys(config: Any) -> Iterator[Problem]:
    for key, keys in unknown_keys(PortalConfig, config):
        advice = backstage_advice(key)
        if advice is None:
            similar = difflib.get_close_matches(key.rpartition(".")[2], keys, n=1)
            advice = f"did you mean {similar[0]}?" if similar else ""
        message = f"means nothing here; {advice}" if advice else "means nothing here"
        yield Problem(None, key, message, level="unknown")


def _refused_plugins(config: Mapping[str, Any]) -> Iterator[Problem]:
    """The plugins of mkdocs that no configuration can allow."""
    section = config.get("techdocs")
    plugins = section.get("allowPlugins") if isinstance(section, dict) else None
    for number, name in _items(plugins if isinstance(plugins, list) else []):
        if isinstance(name, str) and name not in SAFE_PLUGINS:
            message = f"plugin {name} means nothing here: {PLUGIN_RULE}"
            key = f"techdocs.allowPlugins.{number}"
            yield Problem(None, key, message, level="unknown")


def _broken_kinds(config: Mapping[str, Any], folder: Path) -> Iterator[Problem]:
    """The files of own kinds that the catalog would refuse."""
    section = config.get("catalog")
    files = section.get("kinds") if isinstance(section, dict) else None
    accepted: list[Path] = []
    for number, name in _items(files if isinstance(files, list) else []):
        try:
            # With those before: a kind has one file.
            read_kinds([*accepted, folder / str(name)])
        except Invalid as error:
            yield Problem(None, f"catalog.kinds.{number}", error.message)
        else:
            accepted.append(folder / str(name))


def _with_lines(body: bytes, problems: Sequence[Problem]) -> list[Problem]:
    try:
        documents = locate(body, {0: [problem.key for problem in problems]})
    except Invalid:
        return list(problems)
    if not documents:
        return list(problems)
    located = [
        replace(problem, line=line)
        for problem, line in zip(problems, documents[0].fields, strict=True)
    ]
    return sorted(located, key=lambda problem: (problem.line or 0, problem.key))


def json_schema() -> str:
    """A JSON Schema of the file, for editors."""
    schema = PortalConfig.model_json_schema(by_alias=True, mode="validation")
    return json.dumps(schema, indent=2, sort_keys=True)
