"""Publishes `git-push`, keyed by repository."""

from collections.abc import Sequence

from shared.contracts.envelope import Envelope
from shared.contracts.gateway import RepositoryPushed
from shared.contracts.topics import GIT_PUSH
from shared.kit.events.bus import Bus
from shared.kit.events.spans import sending
from shared.kit.observability import tracing
from shared.kit.resilience.retries import Backoff, retry

SOURCE = "/gateway"
#: Some hosts deliver once and never again; they wait ten seconds for an answer.
BACKOFF = Backoff(first=0.4, longest=1.0, attempts=3, within=6.0)


class BusPushLog:
    """`PushLog` on the event log."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def publish(self, pushes: Sequence[RepositoryPushed]) -> None:
        """One event for each ref; its id comes from the delivery, against duplicates.

        Raises:
            Unavailable: if the log does not take them in three attempts.
        """
        with sending(GIT_PUSH, [tracing.fields()] * len(pushes)):
            messages = [
                (GIT_PUSH, key, _envelope(push, key, number).to_bytes())
                for number, push in enumerate(pushes)
                for key in (f"{push.host}/{push.repository}",)
            ]
            await retry(lambda: self._bus.publish_many(messages), BACKOFF)


def _envelope(push: RepositoryPushed, key: str, number: int) -> Envelope:
    return Envelope.of(
        push,
        source=SOURCE,
        subject=key,
        id=f"{push.provider}-{push.delivery}-{number}",
        trace=tracing.fields(),
    )
