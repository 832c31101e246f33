"""The outcomes of builds that failed."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.techdocs.build_log import BuildLog
from services.techdocs.model import CHECK, Documented, Failed, Failure, Prepared
from services.techdocs.stages.generate import STOPPED
from shared.contracts.errors import CallboardError, Unavailable

FIRST_LINES, LAST_LINES = 100, 200
#: The pause after a build that a limit stopped: the first, doubled, and the longest.
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 3_600.0, 86_400.0


class StoredLog:
    """The part of a build's log that a failure stores."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.log = BuildLog(self._lines.append, FIRST_LINES, LAST_LINES)

    def end(self) -> list[str]:
        """The lines, in the end."""
        self.log.end()
        return self._lines


def failed(
    error: Exception,
    reason: str,
    record: Documented,
    prepared: Prepared | None,
    log: list[str],
    start: float,
) -> Failed:
    """The outcome of an error that is the docs' own; `start` is by the monotonic clock.

    A build that was stopped, or met an error of the disk, is tried again at the next
    check.
    """
    is_stopped = isinstance(error, CallboardError) and error.code == STOPPED
    final = not isinstance(error, OSError | Unavailable) and not is_stopped
    failure = Failure(
        error=reason,
        at=datetime.now(UTC),
        commit=prepared.commit if prepared else None,
        content=prepared.content if prepared and final else None,
        log=tuple(log),
    )
    if is_stopped:
        failure = _resting(failure, record, prepared)
    watched = prepared.watched if prepared else record.watched
    elapsed = int((time.monotonic() - start) * 1000)
    return Failed(failure, elapsed, watched, is_final=final)


def _resting(
    failure: Failure, record: Documented, prepared: Prepared | None
) -> Failure:
    """A failure by a limit: its content pauses longer each time, until a push."""
    content = prepared.content if prepared else None
    before = record.failure
    stops = 1
    if before is not None and before.content == content and record.due == CHECK:
        stops += before.stops
    rest = min(FIRST_REST_SECONDS * 2 ** min(stops - 1, 30), LONGEST_REST_SECONDS)
    retry_at = failure.at + timedelta(seconds=rest)
    return replace(failure, content=content, stops=stops, retry_at=retry_at)
