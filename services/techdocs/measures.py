"""Techdocs' metrics: what builds end in, how long they take, what is waiting."""

from prometheus_client import Counter, Gauge, Histogram

BUILDS = Counter(
    "callboard_techdocs_builds", "Looks at sources, by how they ended", ["outcome"]
)
BUILD_SECONDS = Histogram(
    "callboard_techdocs_build_seconds",
    "Time from claiming an entity to its outcome",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 120),
)
WAITING = Gauge("callboard_techdocs_waiting", "Entities whose sources are to be seen")
OUTBOX = Gauge("callboard_techdocs_outbox", "Documents with an event to tell")
