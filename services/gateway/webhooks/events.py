"""What the gateway says: `git-push`, keyed by repository."""

from collections.abc import Sequence

from shared.contracts.envelope import Envelope
from shared.contracts.gateway import RepositoryPushed
from shared.contracts.topics import GIT_PUSH
from shared.kit import logs
from shared.kit.bus import Bus

SOURCE = "/gateway"


class BusPushLog:
    """`PushLog` over the event log."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def tell(self, pushes: Sequence[RepositoryPushed]) -> None:
        """One event a ref; its id comes from the delivery, so twice is once."""
        await self._bus.publish_many(
            [
                (GIT_PUSH, key, _envelope(push, key, number).to_bytes())
                for number, push in enumerate(pushes)
                for key in (f"{push.host}/{push.repository}",)
            ]
        )


def _envelope(push: RepositoryPushed, key: str, number: int) -> Envelope:
    return Envelope.of(
        push,
        source=SOURCE,
        subject=key,
        id=f"{push.provider}-{push.delivery}-{number}",
        traceparent=logs.traceparent.get() or None,
    )
