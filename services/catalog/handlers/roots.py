"""Roots: what is registered, configured or discovered comes, changes and goes."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from services.catalog.handlers.catalog import CatalogContext, CommandContext
from services.catalog.handlers.ingestion import ingest
from services.catalog.handlers.source_rights import Admission, SourceReader
from services.catalog.handlers.walk import Walk
from services.catalog.ingest.candidates import Candidate, location_entity
from services.catalog.ingest.refusals import error_of_all
from services.catalog.model import LocationRef, Root
from services.catalog.planning.removals import plan_dismissal
from shared.contracts.catalog import Cause
from shared.contracts.errors import CallboardError, Conflict, Invalid, Unavailable

REGISTERED = "registered"
CONFIG = "config"
#: Told of what went wrong with a root where nobody is there to be answered.
Report = Callable[[str, str], None]
TRIES = 5


def registered(catalog: CatalogContext, location: LocationRef) -> Root | None:
    """The registration of a location, if somebody made one."""
    root = catalog.state.roots.get(location.entity_name)
    return root if root is not None and REGISTERED in root.buckets else None


async def want(
    catalog: CatalogContext,
    location: LocationRef,
    bucket: str,
    identity: str | None = None,
    *,
    registrant: str = "",
) -> Root:
    """Make sure that there is a root for a location and that `bucket` wants it."""
    name = location.entity_name
    for _ in range(TRIES):
        held = catalog.state.roots.get(name)
        if held is not None and bucket in held.buckets:
            return held
        fresh = held or Root(location, frozenset(), datetime.now(UTC))
        if bucket == REGISTERED:
            made = identity or str(uuid4())
            fresh = replace(fresh, id=made, registrant=registrant)
        stored = await catalog.roots.put(
            replace(fresh, buckets=fresh.buckets | {bucket}, settled=False)
        )
        if stored is not None:
            catalog.state.put_root(stored)
            return stored
        for other in await catalog.roots.load([name]):
            catalog.state.put_root(other)
    raise Conflict(f"{location}: is being changed by others; try again")


async def register(
    catalog: CatalogContext,
    location: LocationRef,
    order: CommandContext,
    *,
    refresh: bool,
    identity: str | None = None,
) -> Root:
    """Register a location and read it; when this returns, its entities are there.

    One whose first reading was broken off, and whose asker was told to try again, is
    gone on with.

    Raises:
        Conflict: if it is registered and `refresh` does not allow that.
    """
    there = registered(catalog, location)
    if there is not None and not refresh:
        begun = not there.settled and not catalog.lock(there).locked()
        if not begun:
            raise Conflict(f"Location {location} already exists")
    root = there or await want(
        catalog, location, REGISTERED, identity, registrant=order.actor
    )
    return await ingest(catalog, root, order)


async def require_readable(
    catalog: CatalogContext, location: LocationRef, reader: SourceReader
) -> None:
    """Check that there is something at a location, and that the reader may read it.

    One answer for both, so that nobody learns which it is. A host that does not answer
    now is read later.

    Raises:
        Invalid: if there is no such repository for them.
    """
    await catalog.rights.require(location, reader, raw=False)
    reading = catalog.sources.reading(location)
    with contextlib.suppress(Unavailable):
        await reading.described(location, Cause(kind="registration"))


async def unwant(
    catalog: CatalogContext, root: Root, bucket: str, order: CommandContext
) -> None:
    """A bucket wants a root no longer; without any it goes, with what it brought."""
    for _ in range(TRIES):
        left = root.buckets - {bucket}
        if not left:
            await dismiss(catalog, root, order)
            return
        identity = None if bucket == REGISTERED else root.id
        stored = await catalog.roots.put(replace(root, buckets=left, id=identity))
        if stored is not None:
            catalog.state.put_root(stored)
            return
        for other in await catalog.roots.load([root.name]):
            catalog.state.put_root(other)
            root = other
    raise Conflict(f"{root.location}: is being changed by others; try again")


async def move(
    catalog: CatalogContext, root: Root, to: LocationRef, order: CommandContext
) -> Root:
    """Point a registration at another location; its id stays.

    Raises:
        Conflict: if the other location is registered already.
    """
    if to == root.location:
        return await ingest(catalog, root, order)
    if registered(catalog, to) is not None:
        raise Conflict(f"Location {to} already exists")
    # The new one first: a crash in between leaves two registrations, never none.
    await register(catalog, to, order, refresh=False, identity=root.id)
    await unwant(catalog, root, REGISTERED, order)
    # What both name belonged to the old one until now.
    return await ingest(catalog, catalog.state.roots[to.entity_name], order)


async def dismiss(catalog: CatalogContext, root: Root, order: CommandContext) -> None:
    """Take a root out of the catalog, with everything that only it brought.

    The entities go first: after a crash the root is still there to be dismissed again.
    """
    async with catalog.lock(root):
        cause = order.cause.model_copy(update={"location": str(root.location)})
        plan = await plan_dismissal(catalog.state, root, cause)
        await catalog.writer(order.actor).apply(plan)
        await catalog.roots.remove(root)
        catalog.state.drop_root(root.name)
        catalog.written()


async def preview(
    catalog: CatalogContext, location: LocationRef, reader: SourceReader
) -> list[Candidate]:
    """What a location would bring, without storing anything: its own entity first.

    Raises:
        CallboardError: the problems of the first file that has any.
    """
    await catalog.rights.require(location, reader, raw=False)
    root = Root(location, frozenset(), datetime.now(UTC))
    reading = catalog.sources.reading(location)
    own = location_entity(location, reading.links(location))
    seen = {own.ref: own.location}
    emitted: dict[str, list[Candidate]] = {}
    admission = Admission(catalog.rights, root, reader)
    effort = catalog.effort(str(location))
    walk = Walk(root, reading, catalog.rules, None, admission, effort=effort)
    async for found in walk.whole():
        problems = [item.located_error for item in found.refusals]
        if found.error is not None:
            problems.append(found.error)
        if problems:
            raise error_of_all(problems)
        for candidate in found.candidates:
            first = seen.get(candidate.ref)
            if first is not None and first != candidate.location:
                raise Invalid(f"{candidate.ref}: is declared twice")
            if first is not None:
                continue
            seen[candidate.ref] = candidate.location
            emitted.setdefault(found.target.parent, []).append(candidate)
    return _in_order(own, emitted)


def _in_order(own: Candidate, emitted: dict[str, list[Candidate]]) -> list[Candidate]:
    """Last first, each before what it brings itself: the order of Backstage."""
    waiting, ordered = [own], []
    while waiting:
        candidate = waiting.pop()
        ordered.append(candidate)
        waiting += emitted.get(candidate.ref, ())
    return ordered


async def resume(
    catalog: CatalogContext, order: CommandContext, report: Report
) -> None:
    """Read the roots whose first reading was never finished."""
    waiting = [root for root in catalog.state.roots.values() if not root.settled]
    for root in waiting:
        try:
            stored = await ingest(catalog, root, order)
        except CallboardError as error:
            report(root.name, error.message)
        else:
            report_unreadable(stored, report)


def report_unreadable(root: Root, report: Report) -> None:
    """Report what is wrong with a root's own file: nobody may look at its entity."""
    for state in root.files.values():
        if state.parent == root.location.entity_ref:
            for item in state.errors:
                report(str(root.location), str(item["message"]))
