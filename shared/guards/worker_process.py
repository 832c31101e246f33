"""The process of `workers.run_bounded`: calls one function after another.

A request and its answer are frames: eight bytes of length, then a pickle. It ends when
its parent does, and when nothing is asked for a while.
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
#: How much is made between two searches for garbage. What a function makes is gone
#: when it ends; looked through as often as usual, it takes half as long again.
GARBAGE_THRESHOLDS = (50_000, 20, 100)
_LENGTH = struct.Struct(">Q")


def pack(
    function: Callable[..., Any], arguments: Any, seconds: float, memory: int
) -> bytes:
    """A request."""
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
    """Answer requests on standard input until there are none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    source, target = os.fdopen(0, "rb"), os.fdopen(os.dup(1), "wb")
    # Whatever prints must not print into an answer.
    os.dup2(2, 1)
    while select.select([0], [], [], IDLE_SECONDS)[0]:
        request = read_frame(source)
        if not request:
            break
        write_frame(target, _answer(request))


def _answer(request: bytes) -> bytes:
    """The processor time that a request took, and what came of it."""
    begun = time.process_time()
    outcome = _outcome(request)
    return pickle.dumps((time.process_time() - begun, *outcome), 5)


def _outcome(request: bytes) -> tuple[Any, ...]:
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
    """Set what the next call may take: the kernel ends the process where it is over."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory, hard))
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    end = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (end, hard))
