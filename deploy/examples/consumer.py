"""Counts what happens in the portal: entities by kind and actor, builds and runs.

A minimal analytics consumer; it needs only the address of Kafka, from CALLBOARD_KAFKA
or from the data folder's run.json (`consumer.py .callboard`).
"""

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path

from aiokafka import AIOKafkaConsumer

TOPICS = ("entity-changed", "docs-built", "template-run")


async def main() -> None:
    """Reads from the oldest message on, and prints the counts as they grow."""
    run = Path(*sys.argv[1:2] or [".callboard"]) / "run.json"
    address = (
        os.environ.get("CALLBOARD_KAFKA")
        or json.loads(run.read_text())["addresses"]["broker"]
    )
    counts: Counter[str] = Counter()
    async with AIOKafkaConsumer(
        *TOPICS, bootstrap_servers=address, auto_offset_reset="earliest"
    ) as consumer:
        async for message in consumer:
            try:
                event = json.loads(message.value)
                data, event_type = (
                    event["data"],
                    event["type"].removeprefix("callboard."),
                )
            except (ValueError, KeyError, TypeError):
                continue  # skip messages that are not events
            kind = data.get("entity_ref", "").partition(":")[0]
            actor = data.get("actor") or data.get("created_by") or "the portal"
            counts[f"{event_type:28} {kind:10} {actor}"] += 1
            print("\033c" + "\n".join(f"{n:6}  {w}" for w, n in counts.most_common()))


if __name__ == "__main__":
    asyncio.run(main())
