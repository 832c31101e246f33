"""Fetches servers by name."""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from deploy.engines import cache, documents, jdk, kafka, opa, opensearch, toxiproxy
from deploy.engines.cache import CannotFetch
from deploy.engines.engine import Engine, EngineFailed
from deploy.engines.golang import Program
from deploy.engines.maven import Jars

__all__ = ["SOURCES", "CannotFetch", "fetch"]

#: By the name that each engine has in `run.json`.
SOURCES: Mapping[str, Jars | Program] = {
    "broker": kafka.JARS,
    "documents": documents.JARS,
    "opensearch": opensearch.JARS,
    "opa": opa.PROGRAM,
    "toxiproxy": toxiproxy.PROGRAM,
}
#: Starts each server of jars once, to record the classes that it loads.
STARTS: Mapping[str, Callable[..., Engine]] = {
    "broker": kafka.start,
    "documents": documents.start,
    "opensearch": opensearch.start,
}
TRAINING_SECONDS = 60.0
Progress = Callable[[str, float], None]


def fetch(names: Iterable[str], progress: Progress) -> None:
    """Fetch missing servers into the cache, and verify all by their checksums.

    Raises:
        CannotFetch: naming the missing tool or the wrong file, and what to do.
    """
    engine_names = list(names)
    for number, name in enumerate(engine_names):
        source = SOURCES[name]
        action = "Checking" if source.ready else "Fetching"
        progress(f"{action} {source.folder}", number / len(engine_names))
        source.fetch()
        source.check()
        if isinstance(source, Jars):
            _train(name, source, progress, number / len(engine_names))
    if engine_names:
        progress("All servers are here", 1.0)


def _train(name: str, jars: Jars, progress: Progress, share: float) -> None:
    """Archive the classes that a first start loads, which halves later starts."""
    archive = jars.archive(jdk.find(jars.java, jars.name))
    if archive.is_file():
        return
    progress(f"Starting {jars.folder} for the first time", share)
    with (
        cache.locked(archive.with_suffix(".lock")),
        tempfile.TemporaryDirectory() as folder,
    ):
        if archive.is_file():
            return
        new = archive.with_name(f".{archive.name}")
        new.unlink(missing_ok=True)
        root = Path(folder)
        try:
            engine = STARTS[name](root / "data", root / "log", train=new)
        except EngineFailed as error:
            raise CannotFetch(str(error)) from error
        engine.stop(TRAINING_SECONDS)
        # The archive is optional; a JVM that cannot write it logs that.
        if new.is_file():
            new.replace(archive)
