"""The embedded event log: librdkafka's Kafka-protocol cluster on a real TCP port.

It keeps about 5 MB per partition and forgets everything when it ends; whoever reads it
resynchronises from the owners' snapshots. Run as `python -m deploy.embedded.broker
ADDRESS_FILE`: the address appears in the file when the broker answers.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from confluent_kafka import Producer

START_SECONDS = 10
#: Touched at start so that a consumer never meets a topic that does not exist yet.
TOPICS = ("entity-changed", "docs-built", "template-run", "git-push")


def main(address_file: Path) -> None:
    """Run until SIGTERM."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    client = Producer(
        {
            "bootstrap.servers": "embedded",
            "test.mock.num.brokers": 1,
            "log_level": 3,
        }
    )
    brokers = client.list_topics(timeout=START_SECONDS).brokers.values()
    broker = next(iter(brokers))
    for topic in TOPICS:
        client.list_topics(topic, timeout=START_SECONDS)
        client.list_topics(f"{topic}.dead", timeout=START_SECONDS)
    written = address_file.with_suffix(".new")
    written.write_text(f"{broker.host}:{broker.port}\n")
    written.rename(address_file)
    parent = os.getppid()
    # An orphan would hold its port for ever: it ends with whoever started it.
    while not stop.wait(1.0) and os.getppid() == parent:
        pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))
