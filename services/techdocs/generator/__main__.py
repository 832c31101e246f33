"""Entry of the generating process: limits first, then mkdocs, then the walls."""

import logging
import sys
import tempfile
from pathlib import Path

from services.techdocs.generator import confinement
from services.techdocs.generator.job import REFUSED, REFUSED_FILE, Job
from shared.contracts.errors import CallboardError

#: What mkdocs and techdocs-core load late. Before the walls Python may keep them
#: compiled, and after the first build they load in a third of the time.
EARLY = (
    "admonitions.admonition",
    "encodings.idna",
    "markdown.extensions.abbr",
    "markdown.extensions.admonition",
    "markdown.extensions.attr_list",
    "markdown.extensions.fenced_code",
    "markdown.extensions.footnotes",
    "markdown.extensions.md_in_html",
    "markdown.extensions.tables",
    "markdown.extensions.toc",
    "markdown_inline_graphviz",
    "material.plugins.search.plugin",
    "material.templates",
    "mdx_truly_sane_lists",
    "pygments.lexers.python",
    "pygments.lexers.shell",
    "pygments.lexers.special",
    "pygments.styles.default",
    "plantuml_markdown",
    "pymdownx._bypassnorm",
    "pymdownx.emoji1_db",
    "pymdownx.snippets",
    "pymdownx.superfences",
    "techdocs_core.core",
    "pymdownx.betterem",
    "pymdownx.caret",
    "pymdownx.critic",
    "pymdownx.details",
    "pymdownx.emoji",
    "pymdownx.extra",
    "pymdownx.highlight",
    "pymdownx.inlinehilite",
    "pymdownx.magiclink",
    "pymdownx.mark",
    "pymdownx.smartsymbols",
    "pymdownx.tabbed",
    "pymdownx.tasklist",
    "pymdownx.tilde",
)


def main() -> int:
    """Build the site of the job named on the command line; the exit status."""
    job = Job.read(Path(sys.argv[1]))
    confinement.limit(
        cpu_seconds=job.cpu_seconds,
        memory_bytes=job.memory_bytes,
        file_bytes=job.file_bytes,
    )
    logging.basicConfig(
        level=logging.INFO, stream=sys.stdout, format="%(levelname)-7s -  %(message)s"
    )
    # Loading mkdocs costs most of a small build, so a refused job is not spared it.
    from services.techdocs.generator.build import build  # noqa: PLC0415

    for module in EARLY:
        __import__(module)
    temporary = Path(job.source).parent / "tmp"
    temporary.mkdir(exist_ok=True)
    tempfile.tempdir = str(temporary)
    private = [Path(job.source), Path(job.out), Path(job.record), temporary]
    walls = confinement.confine(
        read=confinement.needed_to_run(), write=[*private, Path("/dev/null")]
    )
    if not walls:
        logging.getLogger("mkdocs").info("this kernel has no Landlock")
    try:
        build(job)
    except (CallboardError, OSError, RecursionError) as error:
        (Path(job.record) / REFUSED_FILE).write_text(_reason(error))
        return REFUSED
    return 0


def _reason(error: Exception) -> str:
    if isinstance(error, PermissionError):
        name = Path(str(error.filename)).name
        return f"{name}: files outside the documentation's folder may not be read"
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
