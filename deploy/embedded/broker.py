"""The embedded event log: librdkafka's Kafka-protocol cluster on a real TCP port.

It stores about 5 MB per partition and loses everything when it ends; consumers
resynchronize from snapshots. Run as `python -m deploy.embedded.broker ADDRESS_FILE`:
the address is written to the file when the broker answers.

The library in confluent-kafka's wheel is called by its public C interface
(rdkafka_mock.h), because the Python client cannot set the group's rebalance delay,
which is three seconds by default.
"""

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import confluent_kafka

from shared.kit.events.announcements import AnnouncementRelay

TOPICS = ("entity-changed", "docs-built", "template-run", "git-push")
PARTITIONS = 4
#: How long a group waits for more members before it assigns its partitions.
GROUP_DELAY_MS = 100
PRODUCER = 0
LIBRARY_PATTERNS = (
    "../confluent_kafka.libs/librdkafka*.so*",
    ".dylibs/librdkafka*.dylib",
)


def library() -> Any:
    """Load the library of the installed wheel and declare its functions."""
    package = Path(confluent_kafka.__file__).parent
    libraries = [path for pattern in LIBRARY_PATTERNS for path in package.glob(pattern)]
    if not libraries:
        raise SystemExit("confluent-kafka's wheel brings no librdkafka here")
    rdkafka = ctypes.CDLL(str(libraries[0]))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("conf_new", pointer, []),
        ("conf_set", number, [pointer, text, text, text, ctypes.c_size_t]),
        ("new", pointer, [number, pointer, text, ctypes.c_size_t]),
        ("mock_cluster_new", pointer, [pointer, number]),
        ("mock_cluster_bootstraps", text, [pointer]),
        ("mock_topic_create", number, [pointer, text, number, number]),
        ("mock_group_initial_rebalance_delay_ms", None, [pointer, ctypes.c_int32]),
    ):
        function = getattr(rdkafka, f"rd_kafka_{name}")
        function.restype, function.argtypes = result, arguments
    return rdkafka


def start() -> str:
    """Start the cluster in this process; returns its address."""
    rdkafka = library()
    error = ctypes.create_string_buffer(512)
    conf = rdkafka.rd_kafka_conf_new()
    rdkafka.rd_kafka_conf_set(conf, b"log_level", b"3", error, len(error))
    client = rdkafka.rd_kafka_new(PRODUCER, conf, error, len(error))
    if not client:
        raise SystemExit(f"librdkafka: {error.value.decode(errors='replace')}")
    cluster = rdkafka.rd_kafka_mock_cluster_new(client, 1)
    rdkafka.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, GROUP_DELAY_MS)
    # Created now, so that topics exist before any consumer starts.
    for topic in TOPICS:
        for name in (topic, f"{topic}.dead"):
            rdkafka.rd_kafka_mock_topic_create(cluster, name.encode(), PARTITIONS, 1)
    return str(rdkafka.rd_kafka_mock_cluster_bootstraps(cluster).decode())


def main(address_file: Path) -> None:
    """Run until SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    new_file = address_file.with_suffix(".new")
    address = start()
    relay = open_relay(address)
    new_file.write_text(f"{address}\n")
    new_file.rename(address_file)
    parent = os.getppid()
    # It ends with its parent, as an orphan would occupy its port forever.
    while not stop.is_set() and os.getppid() == parent:
        if relay is None:
            stop.wait(1.0)
        else:
            relay.serve(1.0)


def open_relay(address: str) -> AnnouncementRelay | None:
    """Open the relay that announces messages; None if the UDP port is in use."""
    try:
        return AnnouncementRelay(address)
    except OSError as error:
        print(f"No announcements of messages, consumers poll: {error}", flush=True)
        return None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
