"""One job in a process of its own: limits, walls, and then the site's build."""

import logging
import os
import sys
import tempfile
from pathlib import Path

from services.techdocs.generator import confinement
from services.techdocs.generator.build import build
from services.techdocs.generator.job import (
    NO_ROOM,
    PAGE_FILE,
    REFUSED,
    REFUSED_FILE,
    Job,
)
from services.techdocs.generator.recorder import CompiledTemplates
from shared.contracts import disk_space
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
    except MemoryError:
        # The traceback would need memory too; who waits knows the limit.
        print("MemoryError", flush=True)  # noqa: T201 - the log of this process
        return FAILED
    except (CallboardError, OSError, RecursionError) as error:
        if disk_space.is_disk_full(error):
            return NO_ROOM
        (Path(job.record) / REFUSED_FILE).write_text(_reason(job, error))
        return REFUSED
    return 0


def _reason(job: Job, error: Exception) -> str:
    """Why there is no site, beginning with the page that the build was at."""
    if isinstance(error, CallboardError):
        return error.message
    if isinstance(error, PermissionError):
        cause = "files outside the documentation's folder may not be read"
        cause = f"{Path(str(error.filename)).name}: {cause}"
    elif isinstance(error, OSError):
        name = Path(str(error.filename)).name if error.filename else ""
        cause = ": ".join(filter(None, [name, error.strerror or str(error)]))
    else:
        cause = "it is nested too deeply"
    page = Path(job.record) / PAGE_FILE
    return f"{page.read_text()}: {cause}" if page.is_file() else cause
