"""What becomes of a push while something that its way needs is away."""

from collections.abc import Iterable

import pytest

from services.gateway.webhooks.events import BusPushLog
from services.gateway.webhooks.handlers import receive
from services.gateway.webhooks.payloads import pushes
from services.gateway.webhooks.store import MongoDeliveries
from shared.contracts.errors import Unavailable
from shared.kit.documents import mongo
from shared.kit.events.bus import MemoryBus, Message
from tests.gateway.hooks import gitea
from tests.gateway.test_webhooks import SECRETS, Log, delivery


async def test_a_push_is_published_while_the_store_is_away() -> None:
    """Replay detection needs the store, but a host may deliver only once."""
    client = mongo.connect("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200")
    log, deliveries = Log(), MongoDeliveries(client["gateway"]["deliveries"])
    assert await receive(delivery(), SECRETS, log, deliveries) == "accepted"
    assert len(log.published) == 1
    client.close()


async def test_publishing_a_push_is_retried() -> None:
    """Some hosts deliver once: a short failure of the log must not lose a push."""
    (push,) = pushes("gitea", gitea(), "1")
    bus = Hiccups(2)
    await BusPushLog(bus).publish([push])
    assert [topic for topic, _, _ in bus.sent] == ["git-push"]
    bus = Hiccups(3)
    with pytest.raises(Unavailable):
        await BusPushLog(bus).publish([push])
    assert not bus.sent


class Hiccups(MemoryBus):
    """Does not take anything the first few times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def publish_many(self, messages: Iterable[Message]) -> None:
        self.times -= 1
        self.away = self.times >= 0
        await super().publish_many(messages)
