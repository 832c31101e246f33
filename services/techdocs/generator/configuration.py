"""The configuration that mkdocs gets: the site's own, reduced to what is allowed."""

import importlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import yaml

from services.techdocs import mkdocs_file, mkdocs_rules
from services.techdocs.generator.job import Job
from services.techdocs.generator.places import Places
from services.techdocs.mkdocs_file import SiteConfig
from shared.contracts.errors import Invalid

INCLUDED_KEYS = frozenset({"site_name", "docs_dir", "nav", "repo_url", "edit_uri"})
EDIT_KEYS = frozenset({"edit_uri", "edit_uri_template"})


@dataclass(frozen=True, slots=True)
class Configured:
    """The configuration for mkdocs, warnings of what was left out, the folders."""

    values: SiteConfig
    warnings: list[str]
    places: Places


def configuration(job: Job) -> Configured:
    """The configuration for mkdocs; those that it includes are reduced in place.

    Raises:
        Invalid: naming the setting and the rule.
    """
    source = Path(job.source)
    written: SiteConfig = {"site_name": job.title}
    if job.config is not None:
        text = (source / job.config).read_bytes()
        written = mkdocs_file.read_config(text, job.config)
    if "nav" in written:
        written["nav"] = _with_files(written["nav"], source)
    reduced = mkdocs_rules.allowed(written, job.plugins, _absent(job.plugins))
    values = reduced.values
    values.setdefault("site_name", job.title)
    places = Places(
        [(values["docs_dir"], "")],
        readme=job.readme,
        folder=job.folder,
        # The site's own setting of where its pages are edited goes first.
        edit_link=None if values.keys() & EDIT_KEYS else job.edit_link,
        source_link=job.source_link,
        own_edit_links=_included(written, source, reduced.warnings),
    )
    if job.repository_url:
        values.setdefault("repo_url", job.repository_url)
    values["markdown_extensions"] = _resolved(values["markdown_extensions"])
    if not any("pymdownx.snippets" in item for item in values["markdown_extensions"]):
        values["markdown_extensions"].append(
            {"pymdownx.snippets": {"base_path": ["."]}}
        )
    _absolute_base_paths(values["markdown_extensions"], source, values["docs_dir"])
    return Configured(values, reduced.warnings, places)


def _absent(plugins: Iterable[str]) -> set[str]:
    """Those of `plugins` that are not installed; the theme's have its name before."""
    names = {entry.name for entry in entry_points(group="mkdocs.plugins")}
    return {name for name in plugins if not {name, f"material/{name}"} & names}


def _absolute_base_paths(items: Iterable[Any], source: Path, docs: str) -> None:
    for item in items:
        options = item.get("pymdownx.snippets")
        if options is not None:
            options["base_path"] = [str(source / path) for path in options["base_path"]]
            options["base_path"].append(str(source / docs))
            options["restrict_base_path"] = True
            options["url_download"] = False


def _resolved(value: Any) -> Any:
    """The functions that allowed tags name, in place of their names."""
    if isinstance(value, mkdocs_file.PythonName):
        module, _, name = value.name.rpartition(".")
        function = getattr(importlib.import_module(module), name)
        return function if value.keywords is None else function(**dict(value.keywords))
    if isinstance(value, dict):
        return {key: _resolved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item) for item in value]
    return value


def _included(config: SiteConfig, source: Path, warnings: list[str]) -> list[str]:
    """Reduce the configurations that the monorepo plugin will read by itself.

    Returns the folders of the pages whose configuration says where they are edited.
    """
    own: list[str] = []
    for statement in mkdocs_file.includes(config):
        path = included_file(statement, source)
        name = path.relative_to(source).as_posix()
        included = mkdocs_file.known_values(
            mkdocs_file.read_config(path.read_bytes(), name), warnings, name
        )
        folder = path.relative_to(source).parent.as_posix()
        pages = mkdocs_file.inside(
            f"{folder}/{mkdocs_file.docs_dir(included, name)}", f"{name}: docs_dir"
        )
        allowed = INCLUDED_KEYS | mkdocs_rules.KEYS | mkdocs_rules.SILENT_KEYS
        dropped = included.keys() - allowed
        warnings += [f"{name}: {key} is not allowed" for key in sorted(dropped)]
        reduced = {key: included[key] for key in included if key in INCLUDED_KEYS}
        path.write_text(yaml.safe_dump(reduced, sort_keys=False))
        if included.keys() & {"edit_uri", "repo_url"}:
            own.append(pages)
    return own


def _with_files(nav: Any, source: Path) -> Any:
    """`nav` with the files that wildcards mean in their place.

    The plugin would search for them by rules of its own and without a limit.
    """
    if isinstance(nav, str) and nav.startswith(mkdocs_file.WILDCARD_INCLUDE):
        return _selected(nav, source)
    if isinstance(nav, dict):
        return {title: _with_files(item, source) for title, item in nav.items()}
    if not isinstance(nav, list):
        return nav
    items: list[Any] = []
    for item in nav:
        entry = _with_files(item, source)
        items += entry if isinstance(entry, list) else [entry]
    return items


def _selected(statement: str, source: Path) -> list[dict[str, str]]:
    glob = mkdocs_file.include_glob(statement)
    files = (
        Path(folder, name).relative_to(source).as_posix()
        for folder, _, names in os.walk(source)
        for name in names
    )
    return [
        {_site_name(source, path): f"{mkdocs_file.INCLUDE}{path}"}
        for path in sorted(glob.select(files))
    ]


def _site_name(source: Path, path: str) -> str:
    name = mkdocs_file.read_config((source / path).read_bytes(), path).get("site_name")
    if not isinstance(name, str) or not name:
        raise Invalid(f"{path}: site_name is missing: an included site has one")
    return name


def included_file(statement: str, source: Path) -> Path:
    """The file that an include statement means, inside `source`."""
    path = statement.partition(" ")[2]
    path = mkdocs_file.inside(path, "mkdocs.yml: nav")
    if not path.endswith(mkdocs_file.YAML_NAMES):
        raise Invalid(f"mkdocs.yml: nav: {statement!r} must name a YAML file")
    if not (source / path).is_file():
        raise Invalid(f"mkdocs.yml: nav: {path} does not exist")
    return source / path
