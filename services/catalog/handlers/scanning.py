"""The scan, which reads everything again in case an event was never sent.

At start, unfinished registrations are finished first.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.catalog.handlers.catalog import CatalogContext, context_for
from services.catalog.handlers.discovery import (
    Provider,
    configure,
    discover,
    retire,
)
from services.catalog.handlers.dismissal import delete_abandoned
from services.catalog.handlers.ingestion import ingest
from services.catalog.handlers.reporting import Report, reporting
from services.catalog.handlers.roots import report_unreadable, resume
from services.catalog.model import LocationRef


@dataclass(frozen=True, slots=True)
class DesiredLocations:
    """The locations and providers that the configuration names."""

    locations: Sequence[LocationRef]
    providers: Sequence[Provider]


async def begin(
    catalog: CatalogContext, desired: DesiredLocations, report: Report
) -> None:
    """Make the roots those of the configuration, and read what is new.

    What is not configured any more goes last: a root that goes takes its closed files
    along, and may have another provider by then.
    """
    names = await configure(catalog, desired.locations)
    await delete_abandoned(catalog, context_for("scan"))
    await resume(catalog, context_for("scan"), report)
    await _discover_all(catalog, desired, report)
    await retire(catalog, names, desired.providers, context_for("config"))


async def _discover_all(
    catalog: CatalogContext, desired: DesiredLocations, report: Report
) -> None:
    """Compare each provider's listing; one that fails does not stop the others."""
    for provider in desired.providers:
        with reporting(provider.name, report):
            await discover(catalog, provider, context_for("scan"), report)


async def scan(
    catalog: CatalogContext, desired: DesiredLocations, at_once: int, report: Report
) -> None:
    """Read every root again; one that fails is reported and does not stop the rest."""
    gate = asyncio.Semaphore(at_once)

    async def scan_root(name: str) -> None:
        async with gate:
            root = catalog.state.roots.get(name)
            if root is None:
                return
            with reporting(name, report):
                root = await ingest(catalog, root, context_for("scan"))
                report_unreadable(root, report)

    await _discover_all(catalog, desired, report)
    await asyncio.gather(*(scan_root(name) for name in list(catalog.state.roots)))
