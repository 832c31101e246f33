"""Two builders on one data folder: what one is building, the other leaves alone."""

from pathlib import Path
from typing import Any

from services.techdocs.model import CHANGED, Documented
from services.techdocs.store.records import MongoRecords
from shared.contracts.entity import Entity
from shared.kit.documents import leases

BOX = "component:default/box"


async def test_a_running_builders_claim_is_not_taken_over(
    database: Any, data: Path
) -> None:
    """Two processes of one folder have two names; a killed one frees its name."""
    with leases.owner(data) as first, leases.owner(data) as second:
        assert first != second
        one = MongoRecords(database["sites"], first, nudge=lambda: None)
        other = MongoRecords(database["sites"], second, nudge=lambda: None)
        await one.prepare()
        await one.remember(Documented(BOX, 1, Entity({})))
        await one.ask([BOX], CHANGED)
        assert await one.claim() is not None
        assert await other.claim() is None
    with leases.owner(data) as following:
        assert following == first
        later = MongoRecords(database["sites"], following, nudge=lambda: None)
        assert await later.claim() is not None
