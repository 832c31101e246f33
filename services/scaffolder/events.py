"""Consumes the events of new runs, so that idle processes claim them."""

from collections.abc import Callable, Sequence

from shared.contracts.envelope import Envelope
from shared.contracts.errors import Invalid
from shared.contracts.events import payload_of
from shared.contracts.scaffolder import RunChange, RunCreated
from shared.contracts.topics import TEMPLATE_RUN
from shared.kit.config.servers import Server
from shared.kit.events.bus import Bus
from shared.kit.events.consumer_group import GroupConsumer

GROUP = "scaffolder"


def make_consumer(
    server: Server | str, bus: Bus, offer: Callable[[str], None]
) -> GroupConsumer:
    """The consumer group `scaffolder`; `offer` claims a run if a slot is free."""

    async def runs(envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            change = payload_of(envelope)
            if not isinstance(change, RunChange):
                raise Invalid(
                    f"type: {envelope.type!r} does not belong on {TEMPLATE_RUN}"
                )
            if isinstance(change, RunCreated):
                offer(change.task_id)

    return GroupConsumer(GROUP, server, {TEMPLATE_RUN: runs}, bus)
