"""One site from one job: the configuration's rules, mkdocs, and what is told of it."""

import html
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort, MkDocsException

from services.techdocs.generator.configuration import configuration
from services.techdocs.generator.job import SECTIONS_FILE, SITE_FILE, Job
from services.techdocs.generator.recorder import CompiledTemplates, Recorder
from shared.contracts.errors import Invalid

METADATA = "techdocs_metadata.json"


class _Warnings(logging.Handler):
    """Keeps what mkdocs warns of: the writers are told."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def build(job: Job, templates: CompiledTemplates) -> None:
    """Build the site of `job`; `templates` saves compiling the theme.

    Raises:
        Invalid: with the reason, if the sources cannot become a site.
    """
    record = Path(job.record)
    kept = configuration(job)
    for line in kept.warnings:
        print(f"WARNING -  {line}")  # noqa: T201 - the log of this process
    warnings = _Warnings()
    recorder = Recorder(record, templates)
    logger = logging.getLogger("mkdocs")
    logger.addHandler(warnings)
    try:
        config = _run(job, kept.values, recorder, warnings)
    finally:
        logger.removeHandler(warnings)
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
