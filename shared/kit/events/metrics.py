"""The metrics of the event log's clients, the same in every service."""

from prometheus_client import Counter, Gauge, Histogram

PUBLISH_SECONDS = Histogram(
    "callboard_event_log_publish_seconds",
    "Time until the event log has taken a batch of messages",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10),
)
LAG = Gauge(
    "callboard_consumer_lag",
    "Messages of the partitions assigned here that the group has not handled yet",
    ["group", "topic"],
)
DEAD_LETTERS = Counter(
    "callboard_dead_letters",
    "Messages that could not be handled and became dead letters",
    ["group", "topic"],
)
HAND_OVER_SECONDS = Histogram(
    "callboard_consumer_hand_over_seconds",
    "Time from the revocation of a group's partitions to their new assignment",
    ["group"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
OUTBOX_DEPTH = Gauge(
    "callboard_outbox_depth",
    "Documents with an event that the event log has not taken yet",
    ["collection"],
)
