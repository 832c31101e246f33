"""One job in a process of its own: limits, walls, and then the site's build."""

import logging
import os
import sys
import tempfile
from pathlib import Path

from services.techdocs.generator import confinement
from services.techdocs.generator.build import build
from services.techdocs.generator.job import NO_ROOM, REFUSED, REFUSED_FILE, Job
from services.techdocs.generator.recorder import CompiledTemplates
from shared.contracts import room
from shared.contracts.errors import CallboardError

FAILED = 1


def run(path: Path, templates: CompiledTemplates) -> int:
    """Build the site of the job in `path`; the exit status of this process."""
    job = Job.read(path)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stdout, format="%(levelname)-7s -  %(message)s"
    )
    confinement.limit(
        cpu_seconds=job.cpu_seconds,
        memory_bytes=job.memory_bytes,
        file_bytes=job.file_bytes,
    )
    os.chdir(job.source)
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
        build(job, templates)
    except (CallboardError, OSError, RecursionError) as error:
        if room.is_full(error):
            return NO_ROOM
        (Path(job.record) / REFUSED_FILE).write_text(_reason(error))
        return REFUSED
    return 0


def _reason(error: Exception) -> str:
    if isinstance(error, PermissionError):
        name = Path(str(error.filename)).name
        return f"{name}: files outside the documentation's folder may not be read"
    return str(error)
