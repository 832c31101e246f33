"""What the gateway keeps, on whatever server: settings, deliveries, ended sessions."""

import contextlib
import time
from typing import Any

from services.gateway.identity.store import MongoEndedSessions
from services.gateway.kept import COLLECTIONS, KeptDocuments
from services.gateway.preferences.store import MongoPreferences
from services.gateway.webhooks import store as webhooks
from services.gateway.webhooks.store import MongoDeliveries
from shared.contracts.errors import Unavailable
from shared.kit.migrations import prepare
from tests.waiting import until


async def test_settings_are_each_persons_own(database: Any) -> None:
    """Any JSON under bucket and key; asked for by many keys at once; dropped."""
    preferences = MongoPreferences(database["preferences"])
    value = {"a.b": [1, None, {"$c": True}], "é": 1.5}
    await preferences.put("user:default/ann", "b", "k", value)
    await preferences.put("user:default/ann", "b", "k2", [])
    await preferences.put("user:default/ann", "b", "k2", False)
    await preferences.put("user:default/bo", "b", "k", "bo's")
    wanted = [("b", "k"), ("b", "k2"), ("b", "never")]
    found = await preferences.get("user:default/ann", wanted)
    assert found == {("b", "k"): value, ("b", "k2"): False}
    await preferences.drop("user:default/ann", "b", "k")
    await preferences.drop("user:default/ann", "b", "never")
    assert await preferences.get("user:default/ann", wanted) == {("b", "k2"): False}
    assert await preferences.get("user:default/bo", wanted) == {("b", "k"): "bo's"}


async def test_deliveries_are_remembered_for_a_while(database: Any) -> None:
    """Marked once or twice; what is too old is swept, now and then."""
    held = database["deliveries"]
    deliveries = MongoDeliveries(held)
    assert not await deliveries.told("d1")
    await deliveries.mark("d1")
    await deliveries.mark("d1")
    assert await deliveries.told("d1")
    await held.update_one({"_id": "d1"}, {"$set": {"at": 1}})
    for number in range(webhooks.SWEEP_EVERY):
        await deliveries.mark(f"e{number}")
    assert not await deliveries.told("d1")
    assert await held.count_documents({}) == webhooks.SWEEP_EVERY


async def test_the_gateway_is_ready_once_it_knows_who_signed_out(
    database: Any,
) -> None:
    """Collections have their shapes and indexes, ended sessions are loaded."""
    await prepare(database, COLLECTIONS)
    before = MongoEndedSessions(database["ended_sessions"])
    await before.end("one", time.time() + 60)
    ended = MongoEndedSessions(database["ended_sessions"])

    async def ready() -> bool:
        with contextlib.suppress(Unavailable):
            await kept.check()
            return True
        return False

    async with KeptDocuments(database, ended) as kept:
        await until(lambda: ended.ended("one"))
        await until(ready)
