"""Entry of the generating process: limits first, then mkdocs, then the walls."""

import logging
import sys
import tempfile
from pathlib import Path

from services.techdocs.generator import confinement
from services.techdocs.generator.job import REFUSED, REFUSED_FILE, Job
from shared.contracts.errors import CallboardError

#: Modules that mkdocs loads late; before the walls they load without a question.
EARLY = (
    "techdocs_core.core",
    "material.plugins.search.plugin",
    "pymdownx.emoji",
    "encodings.idna",
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
        (Path(job.record) / REFUSED_FILE).write_text(str(error))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
