"""Work on many sources: one that fails is reported, and does not stop the others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.contracts.errors import CallboardError
from shared.kit.observability import logs

#: Called with a source and its problem where no request waits for the answer.
Report = Callable[[str, str], None]

log = logs.get_logger("catalog")


@contextmanager
def reporting(source: str, report: Report) -> Iterator[None]:
    """Report what is wrong with a source, and end the block there."""
    try:
        yield
    except CallboardError as error:
        report(source, error.message)
    except Exception as error:
        log.warning("source_failed", source=source, exc_info=True)
        report(source, f"{type(error).__name__}: see the log of the catalog")
