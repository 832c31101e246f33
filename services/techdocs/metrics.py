"""Techdocs' metrics: outcomes and times of builds, due builds, unpublished events."""

from prometheus_client import Counter, Gauge, Histogram

BUILDS = Counter(
    "callboard_techdocs_builds", "Checks of sources, by outcome", ["outcome"]
)
BUILD_SECONDS = Histogram(
    "callboard_techdocs_build_seconds",
    "Time from claiming an entity to its outcome",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 120),
)
WAITING = Gauge("callboard_techdocs_waiting", "Entities with a due check")
OUTBOX = Gauge("callboard_techdocs_outbox", "Documents with an unpublished event")
