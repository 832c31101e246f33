"""One site from one job: the configuration's rules, mkdocs, and what is told of it."""

import html
import importlib
import json
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort, MkDocsException

from services.techdocs import mkdocs_rules as rules
from services.techdocs.generator.job import SECTIONS_FILE, SITE_FILE, Job
from services.techdocs.generator.recorder import Recorder
from shared.contracts.errors import Invalid

METADATA = "techdocs_metadata.json"
INCLUDED_KEYS = frozenset({"site_name", "docs_dir", "nav", "repo_url", "edit_uri"})


class _Warnings(logging.Handler):
    """Keeps what mkdocs warns of: the writers are told."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def build(job: Job) -> None:
    """Build the site of `job`.

    Raises:
        Invalid: with the reason, if the sources cannot become a site.
    """
    source, record = Path(job.source), Path(job.record)
    kept = _configuration(job, source)
    for line in kept.warnings:
        print(f"WARNING -  {line}")  # noqa: T201 - the log of this process
    warnings = _Warnings()
    logging.getLogger("mkdocs").addHandler(warnings)
    recorder = Recorder(record)
    config = _run(job, kept.values, recorder, warnings)
    description = str(config.site_description or "")
    if not recorder.pages:
        raise Invalid(f"{kept.values['docs_dir']}: there is no page (no .md file)")
    sections = _sections(Path(job.out))
    summary = {
        "title": str(config.site_name),
        "description": description,
        "pages": _in_order(recorder),
        "nav": recorder.navigation(),
        "warnings": [*kept.warnings, *warnings.lines],
    }
    (record / SECTIONS_FILE).write_text(json.dumps(sections))
    (record / SITE_FILE).write_text(json.dumps(summary))
    _tell_files(Path(job.out), job.etag)


def _configuration(job: Job, source: Path) -> rules.Allowed:
    given: dict[str, Any] = {"site_name": job.title}
    if job.config is not None:
        given = rules.read_config((source / job.config).read_bytes(), job.config)
        given.setdefault("site_name", job.title)
    kept = rules.allowed(given)
    _included(given, source, kept.warnings)
    values = kept.values
    if job.repository_url:
        values.setdefault("repo_url", job.repository_url)
    if job.edit_base and not values.get("edit_uri_template"):
        values.setdefault("edit_uri", f"{job.edit_base}{values['docs_dir']}/")
    values["markdown_extensions"] = _resolved(values["markdown_extensions"])
    if not any("pymdownx.snippets" in item for item in values["markdown_extensions"]):
        values["markdown_extensions"].append(
            {"pymdownx.snippets": {"base_path": ["."]}}
        )
    _absolute_base_paths(values["markdown_extensions"], source, values["docs_dir"])
    return kept


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
    if isinstance(value, rules.PythonName):
        module, _, name = value.name.rpartition(".")
        return getattr(importlib.import_module(module), name)
    if isinstance(value, dict):
        return {key: _resolved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item) for item in value]
    return value


def _included(config: dict[str, Any], source: Path, warnings: list[str]) -> None:
    """Reduce the configurations that the monorepo plugin will read by itself."""
    for statement in rules.includes(config):
        for path in included_files(statement, source):
            name = path.relative_to(source).as_posix()
            found = rules.read_config(path.read_bytes(), name)
            folder = path.relative_to(source).parent.as_posix()
            rules.inside(f"{folder}/{rules.docs_dir(found, name)}", f"{name}: docs_dir")
            dropped = found.keys() - INCLUDED_KEYS - rules.KEYS - rules.SILENT_KEYS
            warnings += [f"{name}: {key} is not allowed" for key in sorted(dropped)]
            kept = {key: found[key] for key in found if key in INCLUDED_KEYS}
            path.write_text(yaml.safe_dump(kept, sort_keys=False))


def included_files(statement: str, source: Path) -> list[Path]:
    """The files that an include statement means, all inside `source`."""
    for marker in (rules.INCLUDE, rules.WILDCARD_INCLUDE):
        if statement.startswith(marker):
            pattern = rules.inside(statement.removeprefix(marker), "mkdocs.yml: nav")
            if not pattern.endswith((".yml", ".yaml")):
                raise Invalid(f"mkdocs.yml: nav: {statement!r} must name a YAML file")
            if marker == rules.WILDCARD_INCLUDE:
                return sorted(source.glob(pattern))
            if not (source / pattern).is_file():
                raise Invalid(f"mkdocs.yml: nav: {pattern} does not exist")
            return [source / pattern]
    return []


def _run(
    job: Job, values: dict[str, Any], recorder: Recorder, warnings: _Warnings
) -> MkDocsConfig:
    # mkdocs takes paths as relative to the file that a configuration came from.
    config = MkDocsConfig(config_file_path=str(Path(job.source) / "mkdocs.yml"))
    config.load_dict({**values, "site_dir": job.out})
    errors, doubts = config.validate()
    warnings.lines += [f"mkdocs.yml: {key}: {text}" for key, text in doubts]
    if errors:
        key, error = errors[0]
        raise Invalid(f"mkdocs.yml: {key}: {error}")
    # The name of a plugin is its place in the order; this one must see the last word.
    config.plugins["callboard-recorder"] = recorder
    config.plugins.on_startup(command="build", dirty=False)
    try:
        mkdocs_build(config)
    except Abort as error:
        raise Invalid(_abort_reason(warnings, error)) from error
    except MkDocsException as error:
        raise Invalid(f"mkdocs: {error}") from error
    except SystemExit as error:
        raise Invalid(_abort_reason(warnings, error)) from error
    finally:
        config.plugins.on_shutdown()
    return config


def _abort_reason(warnings: _Warnings, error: BaseException) -> str:
    said = [str(error)] if isinstance(error, Abort) else []
    return " - ".join(["mkdocs stopped", *said, *warnings.lines[-3:]])


def _sections(out: Path) -> list[dict[str, str]]:
    """The search entries that mkdocs wrote, one per page and per heading."""
    path = out / "search" / "search_index.json"
    if not path.is_file():
        return []
    found = json.loads(path.read_bytes())
    return [
        {
            "path": str(entry["location"]),
            "title": html.unescape(str(entry["title"])),
            "text": html.unescape(str(entry["text"])),
        }
        for entry in found.get("docs", ())
    ]


def _in_order(recorder: Recorder) -> list[dict[str, Any]]:
    """The pages in reading order, each with its neighbours; others after them."""
    known = {page["path"]: page for page in recorder.pages}
    order = [path for path in dict.fromkeys(recorder.order()) if path in known]
    for at, path in enumerate(order):
        known[path]["previous"] = order[at - 1] if at else None
        known[path]["next"] = order[at + 1] if at + 1 < len(order) else None
    rest = sorted(known.keys() - set(order))
    return [{"previous": None, "next": None, **known[path]} for path in [*order, *rest]]


def _tell_files(out: Path, etag: str | None) -> None:
    """Complete the file that Backstage's clients read: what is there, since when."""
    path = out / METADATA
    known: dict[str, Any] = {}
    if path.is_file():
        known = json.loads(path.read_bytes())
    files = [
        Path(folder, name).relative_to(out).as_posix()
        for folder, _, names in os.walk(out)
        for name in names
    ]
    known["build_timestamp"] = int(time.time() * 1000)
    known["files"] = sorted({*files, METADATA})
    if etag is not None:
        known["etag"] = etag
    path.write_text(json.dumps(known))
