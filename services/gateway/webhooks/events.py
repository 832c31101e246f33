"""What the gateway says: `git-push`, keyed by repository."""

import asyncio
import time
from collections.abc import Sequence

from shared.contracts.envelope import Envelope
from shared.contracts.errors import Unavailable
from shared.contracts.gateway import RepositoryPushed
from shared.contracts.topics import GIT_PUSH
from shared.kit.events.bus import Bus
from shared.kit.observability import logs

SOURCE = "/gateway"
#: Pauses before the log is asked again: some hosts deliver once and never again.
PAUSES = (0.2, 1.0)
#: Not after this long: hosts wait ten seconds for an answer.
PATIENCE_SECONDS = 6.0


class BusPushLog:
    """`PushLog` over the event log."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def tell(self, pushes: Sequence[RepositoryPushed]) -> None:
        """One event a ref; its id comes from the delivery, so twice is once.

        Raises:
            Unavailable: if the log does not take them, asked three times.
        """
        messages = [
            (GIT_PUSH, key, _envelope(push, key, number).to_bytes())
            for number, push in enumerate(pushes)
            for key in (f"{push.host}/{push.repository}",)
        ]
        until = time.monotonic() + PATIENCE_SECONDS
        for pause in PAUSES:
            try:
                await self._bus.publish_many(messages)
            except Unavailable:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(pause)
            else:
                return
        await self._bus.publish_many(messages)


def _envelope(push: RepositoryPushed, key: str, number: int) -> Envelope:
    return Envelope.of(
        push,
        source=SOURCE,
        subject=key,
        id=f"{push.provider}-{push.delivery}-{number}",
        traceparent=logs.traceparent.get() or None,
    )
