"""Limits on processor time, which do not depend on how busy the machine is."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limit_processor_time(seconds: float) -> Iterator[None]:
    """Fail if the block takes more processor time, in this thread, than `seconds`.

    Garbage collection is off in the block, because it also walks other tests' objects.
    """
    gc.disable()
    started_at = time.thread_time()
    try:
        yield
    finally:
        spent = time.thread_time() - started_at
        gc.enable()
    assert spent < seconds, f"{spent:.2f} s of processor time, at most {seconds:g}"
