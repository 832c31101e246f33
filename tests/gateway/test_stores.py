"""What the gateway keeps, on whatever server: settings, deliveries, ended sessions."""

import contextlib
import time
from typing import Any

import pytest

from services.gateway.collection_setup import COLLECTIONS, CollectionSetup
from services.gateway.identity.store import MongoEndedSessions
from services.gateway.preferences import store as settings
from services.gateway.preferences.store import MongoPreferences
from services.gateway.webhooks import store as webhooks
from services.gateway.webhooks.store import MongoDeliveries
from shared.contracts.errors import Conflict, Unavailable
from shared.kit.documents.migrations import prepare
from tests.waiting import until


async def test_settings_belong_to_one_user(database: Any) -> None:
    """Any JSON under bucket and key; read by several keys at once; deleted."""
    preferences = MongoPreferences(database["preferences"])
    value = {"a.b": [1, None, {"$c": True}], "é": 1.5}
    await preferences.put("user:default/ann", "b", "k", value)
    await preferences.put("user:default/ann", "b", "k2", [])
    await preferences.put("user:default/ann", "b", "k2", False)
    await preferences.put("user:default/bo", "b", "k", "bo's")
    keys = [("b", "k"), ("b", "k2"), ("b", "never")]
    values = await preferences.get("user:default/ann", keys)
    assert values == {("b", "k"): value, ("b", "k2"): False}
    await preferences.drop("user:default/ann", "b", "k")
    await preferences.drop("user:default/ann", "b", "never")
    assert await preferences.get("user:default/ann", keys) == {("b", "k2"): False}
    assert await preferences.get("user:default/bo", keys) == {("b", "k"): "bo's"}


async def test_settings_of_earlier_versions_are_read(database: Any) -> None:
    """Earlier versions stored plain values; a changed setting is stored as text."""
    collection = database["preferences"]
    old = {"_id": "user:default/ann\x1fb\x1fk", "person": "user:default/ann"}
    await collection.insert_one({**old, "value": {"a": None}})
    preferences = MongoPreferences(collection)
    one = [("b", "k")]
    assert await preferences.get("user:default/ann", one) == {one[0]: {"a": None}}
    await preferences.put("user:default/ann", "b", "k2", 1)
    await preferences.put("user:default/ann", "b", "k", {"\0": 2.0**70})
    assert await preferences.get("user:default/ann", one) == {one[0]: {"\0": 2.0**70}}


async def test_settings_over_a_new_limit_can_still_be_reduced(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit that comes later than the settings refuses only additions."""
    preferences = MongoPreferences(database["preferences"])
    for key in ("k", "k2", "k3"):
        await preferences.put("user:default/ann", "b", key, "x" * 50)
    monkeypatch.setattr(settings, "MOST_SETTINGS", 2)
    monkeypatch.setattr(settings, "MOST_BYTES", 100)
    await preferences.put("user:default/ann", "b", "k", "y" * 50)
    await preferences.put("user:default/ann", "b", "k", "y")
    with pytest.raises(Conflict, match="at most 100 bytes"):
        await preferences.put("user:default/ann", "b", "k", "yy")
    with pytest.raises(Conflict, match="at most 2 settings"):
        await preferences.put("user:default/ann", "b", "k4", "")


async def test_the_number_of_settings_per_user_is_limited(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A further one is refused; existing ones can be changed, others are free."""
    monkeypatch.setattr(settings, "MOST_SETTINGS", 2)
    preferences = MongoPreferences(database["preferences"])
    for key in ("k", "k2"):
        await preferences.put("user:default/ann", "b", key, 1)
    with pytest.raises(Conflict, match="at most 2"):
        await preferences.put("user:default/ann", "b", "k3", 1)
    await preferences.put("user:default/ann", "b", "k2", 2)
    await preferences.put("user:default/anna", "b", "k", 1)
    await preferences.drop("user:default/ann", "b", "k")
    await preferences.put("user:default/ann", "b", "k3", 1)


async def test_the_size_of_settings_per_user_is_limited(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One too large beside the others is refused; in place of another it fits."""
    monkeypatch.setattr(settings, "MOST_BYTES", 100)
    preferences = MongoPreferences(database["preferences"])
    await preferences.put("user:default/ann", "b", "k", "é" * 40)
    with pytest.raises(Conflict, match="at most 100 bytes"):
        await preferences.put("user:default/ann", "b", "k2", "y" * 20)
    await preferences.put("user:default/bo", "b", "k2", "y" * 20)
    await preferences.put("user:default/ann", "b", "k", "x" * 70)
    await preferences.put("user:default/ann", "b", "k2", "y" * 20)
    with pytest.raises(Conflict, match="at most 100 bytes"):
        await preferences.put("user:default/ann", "b", "k2", "y" * 27)


async def test_webhook_deliveries_are_remembered_until_they_expire(
    database: Any,
) -> None:
    """Marked once or twice; expired ones are removed now and then."""
    collection = database["deliveries"]
    deliveries = MongoDeliveries(collection)
    assert not await deliveries.was_published("d1")
    await deliveries.mark("d1")
    await deliveries.mark("d1")
    assert await deliveries.was_published("d1")
    await collection.update_one({"_id": "d1"}, {"$set": {"at": 1}})
    for number in range(webhooks.SWEEP_EVERY):
        await deliveries.mark(f"e{number}")
    assert not await deliveries.was_published("d1")
    assert await collection.count_documents({}) == webhooks.SWEEP_EVERY


async def test_the_gateway_is_ready_once_ended_sessions_are_loaded(
    database: Any,
) -> None:
    """Collections have their shapes and indexes by then."""
    await prepare(database, COLLECTIONS)
    before = MongoEndedSessions(database["ended_sessions"])
    await before.end("one", time.time() + 60)
    ended = MongoEndedSessions(database["ended_sessions"])

    async def ready() -> bool:
        with contextlib.suppress(Unavailable):
            await setup.check()
            return True
        return False

    async with CollectionSetup(database, ended) as setup:
        await until(lambda: ended.ended("one"))
        await until(ready)
