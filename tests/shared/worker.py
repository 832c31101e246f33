"""One member of a consumer group as a process: writes down what took effect.

`python -m tests.shared.worker ADDRESS GROUP TOPIC FILE`: one line for each message, the
partition's key and number, flushed when its effect is there.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.contracts.envelope import Envelope
from shared.kit.events.bus import KafkaBus
from shared.kit.events.consumer_group import GroupConsumer


async def main(address: str, group: str, topic: str, file: Path) -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with file.open("a") as out:

        async def handle(batch: Sequence[Envelope]) -> None:
            for envelope in batch:
                out.write(f"{envelope.subject} {envelope.id}\n")
            out.flush()

        async with (
            KafkaBus(address) as bus,
            GroupConsumer(group, address, {topic: handle}, bus) as work,
        ):
            await work.joined.wait()
            out.write("joined\n")
            out.flush()
            await stop.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])))
