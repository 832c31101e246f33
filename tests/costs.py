"""Bounds on what a piece of work costs, by which a busy machine makes no test fail."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limit_processor_time(seconds: float) -> Iterator[None]:
    """Fail if the block takes more processor time, in this thread, than `seconds`.

    Garbage is collected later: a collection also walks what other tests have left in
    memory.
    """
    gc.disable()
    begun = time.thread_time()
    try:
        yield
    finally:
        spent = time.thread_time() - begun
        gc.enable()
    assert spent < seconds, f"{spent:.2f} s of processor time, at most {seconds:g}"
