"""Search's metrics: query time, index lag, changes, records."""

from prometheus_client import Counter, Gauge, Histogram

QUERY_SECONDS = Histogram(
    "callboard_search_query_seconds",
    "Time to answer a query",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1),
)
LAG_SECONDS = Histogram(
    "callboard_search_index_lag_seconds",
    "Time from the publication of a change until it is searchable",
    ["topic"],
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 15, 60),
)
CHANGES = Counter(
    "callboard_search_changes", "Changes applied to the index", ["source"]
)
RECORDS = Gauge("callboard_search_records", "Records in the live index")
UNREADABLE = Counter(
    "callboard_search_unreadable_entities",
    "Entities that are not searchable because their record could not be made",
)
