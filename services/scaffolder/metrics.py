"""The scaffolder's metrics: ended runs, running ones, unpublished events."""

from prometheus_client import Counter, Gauge, Histogram

RUNS = Counter("callboard_scaffolder_runs", "Ended runs, by how they ended", ["status"])
RUN_SECONDS = Histogram(
    "callboard_scaffolder_run_seconds",
    "Time from a run's creation to its end",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 3600),
)
RUNNING = Gauge("callboard_scaffolder_running", "Runs under way in this process")
OUTBOX = Gauge("callboard_scaffolder_outbox", "Runs with an unpublished event")
