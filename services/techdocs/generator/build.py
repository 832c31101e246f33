"""Builds one site: its configuration, mkdocs, and the summary for the service."""

import html
import json
import logging
import os
import re
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jinja2 import TemplateNotFound
from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort, MkDocsException
from mkdocs.structure.files import File

from services.techdocs.generator.article import TITLE_CHARACTERS
from services.techdocs.generator.configuration import configuration
from services.techdocs.generator.job import PAGE_FILE, SECTIONS_FILE, SITE_FILE, Job
from services.techdocs.generator.pages import key_of_url
from services.techdocs.generator.recorder import CompiledTemplates, Recorder
from services.techdocs.generator.site_summary import (
    PageSummary,
    Redirect,
    SiteSummary,
)
from services.techdocs.mkdocs_file import SiteConfig
from shared.contracts.errors import CallboardError, Invalid
from shared.guards.addresses import is_web_address

METADATA = "techdocs_metadata.json"
_STACK = re.compile(r'\s*(?:Traceback |File ")')
_PAGE_ERROR = re.compile(r"Error (?:reading|building) page '([^']{1,500})'")
DESCRIPTION_CHARACTERS = 2000
#: The methods in which mkdocs checks its settings one by one.
MKDOCS_CHECKS = frozenset(("_pre_validate", "_validate", "_post_validate"))
#: The method in which mkdocs tells of a link to a heading that is not there.
ANCHOR_CHECK = "validate_anchor_links"
WARNINGS = 200
WARNING_CHARACTERS = 500
#: What search takes of one section, and of one site.
SECTION_CHARACTERS = 50_000
SECTIONS_BYTES = 8 * 1024 * 1024


class _Warnings(logging.Handler):
    """Collects the warnings of mkdocs and its plugins, for the docs' authors."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        # mkdocs tells of links to absent headings as information, as of much else.
        self.addFilter(
            lambda record: (
                record.levelno >= logging.WARNING or record.funcName == ANCHOR_CHECK
            )
        )
        # A plugin logs under the name of its own package: mkdocs_monorepo_plugin.
        self.addFilter(lambda record: record.name.startswith("mkdocs"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def build(job: Job, templates: CompiledTemplates) -> None:
    """Build the site of `job`; `templates` saves compiling the theme.

    Raises:
        Invalid: with the reason, if the sources cannot become a site.
    """
    configured = configuration(job)
    for line in configured.warnings:
        _warn(line)
    warnings = _Warnings()
    recorder = Recorder(job, configured.places, templates)
    logger = logging.getLogger()
    logger.addHandler(warnings)
    try:
        config = _run(job, configured.values, recorder, warnings)
    finally:
        logger.removeHandler(warnings)
    docs_dir = configured.values["docs_dir"]
    if not recorder.pages:
        raise Invalid(f"{docs_dir}: there is no page (no .md file)")
    recorder.record_html_pages()
    for line in recorder.all_warnings():
        _warn(line)
    lines = [*configured.warnings, *recorder.all_warnings(), *warnings.lines]
    _finish(job, config, recorder, lines)


def _warn(line: str) -> None:
    print(f"WARNING -  {line}", flush=True)  # noqa: T201 - the log of this process


def _finish(
    job: Job, config: MkDocsConfig, recorder: Recorder, warnings: list[str]
) -> None:
    """Write the summary for the service, and complete the public files."""
    out, record = Path(job.out), Path(job.record)
    sections, pages = _sections(out, recorder.titles), _in_order(recorder)
    if sections.left_out:
        warnings.append(
            f"search knows the first {SECTIONS_BYTES // 1024**2} MB of the pages; "
            f"{sections.left_out} sections are left out"
        )
    redirects = _redirects(config, warnings)
    summary: SiteSummary = {
        "title": str(config.site_name)[:TITLE_CHARACTERS],
        "description": str(config.site_description or "")[:DESCRIPTION_CHARACTERS],
        "pages": pages,
        "nav": recorder.navigation(),
        "warnings": _first(warnings),
        "redirects": redirects,
    }
    sections_text = json.dumps(sections.entries, ensure_ascii=False)
    (record / SECTIONS_FILE).write_text(sections_text, errors="replace")
    (record / SITE_FILE).write_text(json.dumps(summary))
    (record / PAGE_FILE).unlink(missing_ok=True)
    _lead_to_first_page(out, pages[0]["url"])
    _write_metadata(out, job.etag)


def _first(warnings: list[str]) -> list[str]:
    """The first warnings; of more, a last line with their number."""
    lines = [line[:WARNING_CHARACTERS] for line in dict.fromkeys(warnings)]
    more = len(lines) - WARNINGS
    return lines if more <= 0 else [*lines[:WARNINGS], f"… and {more} more warnings"]


def _lead_to_first_page(out: Path, url: str) -> None:
    """Make a site without an index begin with a redirect to its first page."""
    index = out / "index.html"
    if not index.exists():
        address = html.escape(url)
        index.write_text(
            f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">'
            f'<link rel="canonical" href="{address}"><a href="{address}">{address}</a>'
        )


def _run(
    job: Job, values: SiteConfig, recorder: Recorder, warnings: _Warnings
) -> MkDocsConfig:
    # mkdocs takes paths as relative to the file that a configuration came from.
    config = MkDocsConfig(config_file_path=str(Path(job.source) / "mkdocs.yml"))
    config.load_dict({**values, "site_dir": job.out})
    errors, doubts = _validated(config)
    warnings.lines += [f"mkdocs.yml: {key}: {text}" for key, text in doubts]
    if errors:
        key, error = errors[0]
        raise Invalid(f"mkdocs.yml: {key}: {_untraced(str(error))}")
    # Plugins run in the order of this mapping; the recorder must run last.
    config.plugins["callboard-recorder"] = recorder
    try:
        config.plugins.on_startup(command="build", dirty=False)
    except Exception as error:
        raise Invalid(f"mkdocs.yml: plugins: {_cause(error)}") from error
    try:
        mkdocs_build(config)
    except (Abort, SystemExit) as error:
        raise Invalid(_abort_reason(warnings, error)) from error
    except TemplateNotFound as error:
        page = _page_at(warnings, recorder)
        reason = f"{page}: the theme has no template {error.name!r}"
        raise Invalid(reason) from error
    except (CallboardError, OSError, MemoryError):
        raise
    except Exception as error:
        # Extensions raise any error: an author needs the page and the cause.
        reason = _reason(_page_at(warnings, recorder), error)
        raise Invalid(f"{reason}{_extension_at(config, error)}") from error
    finally:
        config.plugins.on_shutdown()
    return config


def _validated(config: MkDocsConfig) -> tuple[Any, Any]:
    """The errors and warnings of mkdocs about its settings.

    Raises:
        Invalid: naming a setting that mkdocs or a plugin fails on.
    """
    try:
        return config.validate()
    except Exception as error:
        raise Invalid(f"mkdocs.yml: {_failing(error)}: {_cause(error)}") from error


def _failing(error: Exception) -> str:
    """The setting that mkdocs failed at; mkdocs names only those that it refuses."""
    names = [
        str(frame.f_locals.get("key"))
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_name in MKDOCS_CHECKS
    ]
    return ".".join(names) or "a setting cannot be read"


def _page_at(warnings: _Warnings, recorder: Recorder) -> str:
    """The page that mkdocs names in its error, else the last that was read."""
    last = _PAGE_ERROR.match(warnings.lines[-1]) if warnings.lines else None
    return last[1] if last is not None else recorder.page


def _extension_at(config: MkDocsConfig, error: Exception) -> str:
    """Where to look for an option of a wrong type: the extension that raised."""
    modules = [
        str(frame.f_globals.get("__name__"))
        for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    for name in config.markdown_extensions:
        options = config.mdx_configs.get(name) if isinstance(name, str) else None
        if options and {name, f"markdown.extensions.{name}"} & set(modules[-3:]):
            written = ", ".join(map(str, options))
            return f"; mkdocs.yml: markdown_extensions: {name}: look at {written}"
    return ""


def _abort_reason(warnings: _Warnings, error: BaseException) -> str:
    reason = [str(error)] if isinstance(error, Abort) else []
    return " - ".join(["mkdocs stopped", *reason, *warnings.lines[-3:]])


def _untraced(text: str) -> str:
    """One line of an error: of a stack in it only what was raised at its end."""
    lines = [line for line in text.splitlines() if line.strip()]
    stack = next((n for n, line in enumerate(lines) if _STACK.match(line)), len(lines))
    return " ".join(" ".join([*lines[:stack], *lines[stack:][-1:]]).split())


def _reason(page: str, error: Exception) -> str:
    """The page that could not be built, and why."""
    return f"{page or 'mkdocs'}: {_cause(error)}"


def _cause(error: Exception) -> str:
    cause = _untraced(str(error)) or "no reason was given"
    if isinstance(error, RecursionError):
        cause = "it is nested too deeply"
    elif isinstance(error, UnicodeDecodeError):
        cause = f"it is not UTF-8 text (byte {error.start + 1})"
    elif not isinstance(error, MkDocsException):
        cause = f"{type(error).__name__}: {cause}"
    return cause


@dataclass(slots=True)
class _Sections:
    """Search entries up to a limit, and how many are over it."""

    entries: list[dict[str, str]] = field(default_factory=list)
    left_out: int = 0


def _sections(out: Path, titles: Mapping[str, str]) -> _Sections:
    """The search entries that mkdocs wrote, one per page and per heading."""
    path = out / "search" / "search_index.json"
    sections, size = _Sections(), 0
    if not path.is_file():
        return sections
    index = json.loads(path.read_bytes())
    # The theme's search plugin writes HTML, and names fields; mkdocs' own writes text.
    plain = html.unescape if "fields" in index["config"] else str
    for entry in index.get("docs", ()):
        location, title = str(entry["location"]), str(entry["title"])
        section = {
            "path": location,
            "title": titles.get(location, html.unescape(title)[:TITLE_CHARACTERS]),
            "text": plain(str(entry["text"]))[:SECTION_CHARACTERS],
        }
        size += sum(map(len, section.values()))
        if size > SECTIONS_BYTES:
            sections.left_out += 1
        else:
            sections.entries.append(section)
    return sections


def _in_order(recorder: Recorder) -> list[PageSummary]:
    """The pages in reading order, each with its neighbours; others after them."""
    pages = {page["path"]: page for page in recorder.pages}
    order = [path for path in dict.fromkeys(recorder.order()) if path in pages]
    for page in pages.values():
        page["previous"] = page["next"] = None
    for path, following in pairwise(order):
        pages[path]["next"] = following
        pages[following]["previous"] = path
    rest = sorted(pages.keys() - set(order))
    return [pages[path] for path in [*order, *rest]]


def _redirects(config: MkDocsConfig, warnings: list[str]) -> dict[str, Redirect]:
    """The former paths of pages; as many as a mkdocs.yml of limited size can name."""
    plugin: Any = config.plugins.get("redirects")
    redirects: dict[str, Redirect] = {}
    for former, target in getattr(plugin, "redirects", {}).items():
        page, _, anchor = target.partition("#")
        if page in plugin.doc_pages:
            key = key_of_url(File(former, "", "", config.use_directory_urls).url)
            path = key_of_url(plugin.doc_pages[page].url)
            redirects[key] = {"path": path, "anchor": unquote(anchor)}
        elif is_web_address(target):
            warnings.append(
                f"mkdocs.yml: plugins.redirects: {former} leads to another site, "
                f"which readers are not sent to: link to {target} from a page"
            )
    return redirects


def _write_metadata(out: Path, etag: str | None) -> None:
    """Complete the metadata that Backstage's clients read: the files, the time."""
    path = out / METADATA
    metadata: dict[str, object] = {}
    if path.is_file():
        metadata = json.loads(path.read_bytes())
    files = [
        Path(folder, name).relative_to(out).as_posix()
        for folder, _, names in os.walk(out)
        for name in names
    ]
    metadata["build_timestamp"] = int(time.time() * 1000)
    metadata["files"] = sorted({*files, METADATA})
    if etag is not None:
        metadata["etag"] = etag
    path.write_text(json.dumps(metadata))
