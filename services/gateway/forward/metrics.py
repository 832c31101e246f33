"""The number of forwarded requests by plugin and status, and their durations."""

import time
from collections.abc import Callable

from prometheus_client import Counter, Histogram

REQUESTS = Counter(
    "callboard_gateway_requests_total",
    "Forwarded requests by plugin and status",
    ["plugin", "status"],
)
SECONDS = Histogram(
    "callboard_gateway_request_seconds",
    "Time until the response to a forwarded request began",
    ["plugin"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)


class PluginMetrics:
    """One plugin's metrics, with their labels resolved once."""

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self._seconds = SECONDS.labels(plugin)
        self._by_status: dict[int, Counter] = {}

    def begin(self) -> Callable[[int], None]:
        """Returns a function to call with the status when the response begins."""
        start = time.perf_counter()

        def note_status(status: int) -> None:
            counter = self._by_status.get(status)
            if counter is None:
                counter = REQUESTS.labels(self._plugin, str(status))
                self._by_status[status] = counter
            counter.inc()
            self._seconds.observe(time.perf_counter() - start)

        return note_status
