"""The worker process of `workers.run_bounded`: calls one function after another.

A request and its reply are frames: eight bytes of length, then a pickle. The process
ends with its parent, and when it gets no request for a while.
"""

import gc
import math
import os
import pickle
import resource
import select
import signal
import struct
import time
from collections.abc import Callable
from typing import IO, Any

from shared.contracts.errors import CallboardError

IDLE_SECONDS = 30.0
#: Objects that are created between two garbage collections. A function's objects are
#: freed when it ends; with Python's defaults it takes half as long again.
GARBAGE_THRESHOLDS = (50_000, 20, 100)
_LENGTH = struct.Struct(">Q")


def pack(
    function: Callable[..., Any], arguments: Any, seconds: float, memory: int
) -> bytes:
    """The frame of a request."""
    return pickle.dumps((function, arguments, seconds, memory), 5)


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """Send one frame."""
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes:
    """The next frame; empty if the other side has ended."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return b""
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    return data if len(data) == length else b""


def main() -> None:
    """Reply to the requests on standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    source, target = os.fdopen(0, "rb"), os.fdopen(os.dup(1), "wb")
    # Printed text must not get into a reply.
    os.dup2(2, 1)
    while select.select([0], [], [], IDLE_SECONDS)[0]:
        request = read_frame(source)
        if not request:
            break
        write_frame(target, _reply(request))


def _reply(request: bytes) -> bytes:
    """The frame of a reply: the processor time that a request took, and its outcome."""
    started_at = time.process_time()
    outcome = _run(request)
    return pickle.dumps((time.process_time() - started_at, *outcome), 5)


def _run(request: bytes) -> tuple[Any, ...]:
    try:
        function, arguments, seconds, memory = pickle.loads(request)  # noqa: S301
        del request
        _limit(seconds, memory)
        value = function(*arguments)
        if isinstance(value, list):
            return ("list", *(pickle.dumps(item, 5) for item in value))
        return ("value", pickle.dumps(value, 5))
    except MemoryError:
        return ("memory",)
    except CallboardError as error:
        return ("refused", type(error), error.message)
    except Exception as error:  # noqa: BLE001 - the other side raises it
        return ("failed", repr(error)[:500])


def _limit(seconds: float, memory: int) -> None:
    """Limit the next call; the kernel ends the process when it exceeds the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory, hard))
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    end = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (end, hard))
