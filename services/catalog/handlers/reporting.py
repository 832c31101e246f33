"""Work on many sources: one that fails is reported, and does not stop the others."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.contracts.errors import CallboardError

#: Called with a source and its problem where no request waits for the answer.
Report = Callable[[str, str], None]


@contextmanager
def reporting(source: str, report: Report) -> Iterator[None]:
    """Report what is wrong with a source, and end the block there."""
    try:
        yield
    except CallboardError as error:
        report(source, error.message)
    except Exception as error:  # noqa: BLE001 - no source may stop the others
        place = traceback.extract_tb(error.__traceback__)[-1]
        report(
            source,
            f"{type(error).__name__} in {place.name}, line {place.lineno}: {error}",
        )
