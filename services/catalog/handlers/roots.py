"""Registers, moves and removes roots."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from services.catalog.handlers.admission import Admission
from services.catalog.handlers.catalog import CatalogContext, CommandContext
from services.catalog.handlers.ingestion import ingest, reload_root
from services.catalog.handlers.reporting import Report, reporting
from services.catalog.handlers.root_release import ReleaseCheck, release_root
from services.catalog.handlers.source_rights import SourceReader
from services.catalog.handlers.walk import Walk
from services.catalog.ingest.candidates import Candidate, location_entity
from services.catalog.ingest.problems import HIDDEN_INVALID
from services.catalog.ingest.refusals import error_of_all
from services.catalog.model import (
    REGISTERED,
    LocationRef,
    RepositoryPath,
    RootLocation,
)
from services.catalog.planning.reading import TargetReading
from shared.contracts.catalog import Cause
from shared.contracts.errors import (
    CallboardError,
    Conflict,
    Forbidden,
    Invalid,
    Unavailable,
)

TRIES = 5


def find_registration(
    catalog: CatalogContext, location: LocationRef
) -> RootLocation | None:
    """The registration of a location, if there is one."""
    root = find_root(catalog, location)
    return root if root is not None and REGISTERED in root.providers else None


def find_root(catalog: CatalogContext, location: LocationRef) -> RootLocation | None:
    """The root for a location, if there is one.

    In a Git repository that is the root of the same file, however its address is
    written: people copy it from the page that shows, edits or blames the file, and a
    provider may have discovered the file before.
    """
    root = catalog.state.roots.get(location.entity_name)
    if root is not None:
        return root
    place = catalog.sources.source(location)
    if not place.repository:
        return None
    unread_root = catalog.state.roots.get(catalog.unread_roots.get(place, ""))
    if unread_root is not None:
        return unread_root
    return next(
        (
            root
            for root in catalog.state.roots_of(place.key)
            if catalog.sources.source(root.location) == place
        ),
        None,
    )


def _already_exists(location: LocationRef, root: RootLocation) -> Conflict:
    spelling = "" if root.location == location else f" as {root.location}"
    return Conflict(f"Location {location} already exists{spelling}")


async def ensure_root(
    catalog: CatalogContext,
    location: LocationRef,
    provider_id: str,
    identity: str | None = None,
    *,
    registrant: str = "",
) -> RootLocation:
    """Make sure that there is a root for a location, which the provider names.

    A template publishes a repository and registers its file while the push makes it
    discovered: both come at once, with two spellings of one address. In one process one
    waits for the other; of two processes the store takes the first root of a source.
    """
    source = catalog.sources.source(location)
    async with catalog.source_lock(source):
        root = await _ensure_root(
            catalog, location, source, provider_id, identity, registrant=registrant
        )
        if source.repository and not root.keys:
            catalog.unread_roots[source] = root.name
        return root


async def _ensure_root(
    catalog: CatalogContext,
    location: LocationRef,
    source: RepositoryPath,
    provider_id: str,
    identity: str | None,
    *,
    registrant: str,
) -> RootLocation:
    for _ in range(TRIES):
        root = find_root(catalog, location)
        if root is not None and provider_id in root.providers:
            return root
        new_root = root or RootLocation(
            location, frozenset(), datetime.now(UTC), source=source.text
        )
        if provider_id == REGISTERED:
            new_id = identity or str(uuid4())
            new_root = replace(new_root, id=new_id, registrant=registrant)
        stored = await catalog.roots.put(
            replace(
                new_root, providers=new_root.providers | {provider_id}, settled=False
            )
        )
        if stored is not None:
            catalog.state.put_root(stored)
            return stored
        await reload_root(catalog, new_root.name)
        await _learn_root_of(catalog, source)
    raise Conflict(f"{location}: is being changed by others; try again")


async def _learn_root_of(catalog: CatalogContext, source: RepositoryPath) -> None:
    """Show the root that another process made for a source, perhaps just now."""
    root = await catalog.roots.of_source(source.text) if source.text else None
    if root is not None:
        catalog.state.put_root(root)
        catalog.unread_roots[source] = root.name


async def register(
    catalog: CatalogContext,
    location: LocationRef,
    context: CommandContext,
    *,
    refresh: bool,
    identity: str | None = None,
) -> RootLocation:
    """Register a location and read it; when this returns, its entities are there.

    A registration whose first reading was interrupted is continued. What is wrong with
    its files stands at its Location entity; where the reading itself is refused,
    nothing is registered.

    Raises:
        Conflict: if it is registered and `refresh` does not allow that.
    """
    existing_root = find_registration(catalog, location)
    if existing_root is not None and not refresh:
        is_unfinished = (
            not existing_root.settled and not catalog.lock(existing_root).locked()
        )
        if not is_unfinished:
            raise _already_exists(location, existing_root)
    own_identity = identity or str(uuid4())
    root = existing_root or await ensure_root(
        catalog, location, REGISTERED, own_identity, registrant=context.actor
    )
    if identity is not None and root.id != identity:
        # Somebody else registered it meanwhile.
        raise _already_exists(location, root)
    try:
        return await ingest(catalog, root, context)
    except (Conflict, Unavailable):
        # The registration is read again by itself.
        raise
    except CallboardError:
        if existing_root is None and root.id == own_identity:
            await release_root(
                catalog, root, REGISTERED, context, _registered_as(own_identity)
            )
        raise


def _registered_as(identity: str | None) -> ReleaseCheck:
    """Allows to remove a registration that nobody replaced since it was made."""

    async def is_own(root: RootLocation) -> bool:
        return root.id == identity

    return is_own


async def require_readable(
    catalog: CatalogContext, location: LocationRef, reader: SourceReader
) -> None:
    """Check that there is something at a location, and that the reader may read it.

    Both cases have the same error, so that it does not reveal which one it is. A host
    that does not answer now is read later.

    Raises:
        Invalid: if there is no such repository for them.
    """
    await catalog.rights.require(location, reader, raw=False)
    reading = catalog.sources.reading(location)
    with contextlib.suppress(Unavailable):
        await reading.with_commit(location, Cause(kind="registration"))


async def move(
    catalog: CatalogContext,
    root: RootLocation,
    location: LocationRef,
    context: CommandContext,
    check: ReleaseCheck,
) -> RootLocation:
    """Point a registration at another location; its id stays.

    `check`: whether the old location may go, when it does.

    Raises:
        Conflict: if the other location is registered already, or somebody else moved or
            deleted the registration meanwhile.
        Forbidden: if the check refuses it.
    """
    existing_root = find_registration(catalog, location)
    if existing_root is not None and existing_root.name == root.name:
        return await ingest(catalog, root, context)
    if existing_root is not None:
        raise _already_exists(location, existing_root)
    # The new registration comes first: a crash in between leaves two, never none.
    new_root = await register(
        catalog, location, context, refresh=False, identity=root.id
    )
    problem: CallboardError = Conflict(
        f"{root.location}: is being changed by others; try again"
    )
    is_released = False
    try:
        is_released = await release_root(catalog, root, REGISTERED, context, check)
    except (Conflict, Forbidden) as error:
        problem = error
    if not is_released:
        is_own = _registered_as(root.id)
        await release_root(catalog, new_root, REGISTERED, context, is_own)
        raise problem
    # Entities that both locations name belonged to the old root until now.
    return await ingest(catalog, new_root, context)


async def preview(
    catalog: CatalogContext, location: LocationRef, reader: SourceReader
) -> list[Candidate]:
    """The entities that a location would add, its Location entity first.

    Raises:
        CallboardError: the problems of the first file that has any.
    """
    await catalog.rights.require(location, reader, raw=False)
    root = RootLocation(location, frozenset(), datetime.now(UTC))
    reading = catalog.sources.reading(location)
    own_entity = location_entity(location, reading.links(location))
    locations = {own_entity.ref: own_entity.location}
    emitted: dict[str, list[Candidate]] = {}
    admission = Admission(catalog.rights, root, reader)
    effort = catalog.effort(str(location))
    walk = Walk(root, reading, catalog.rules, None, admission, effort=effort)
    async for target_reading in walk.whole():
        if target_reading.error is not None:
            raise target_reading.error
        if target_reading.refusals:
            raise await _error_of_all(catalog, target_reading, reader)
        for candidate in target_reading.candidates:
            first_location = locations.get(candidate.ref)
            if first_location is not None and first_location != candidate.location:
                raise Invalid(f"{candidate.ref}: is declared twice")
            if first_location is not None:
                continue
            locations[candidate.ref] = candidate.location
            emitted.setdefault(target_reading.target.parent, []).append(candidate)
    return _in_order(own_entity, emitted)


async def _error_of_all(
    catalog: CatalogContext, reading: TargetReading, reader: SourceReader
) -> CallboardError:
    """The error of a file's documents, as far as the reader may know of them.

    A file's text may be another's although there are entities in it for everybody.
    """
    location = reading.target.location
    is_private = any(
        refusal.is_restricted
        or (refusal.ref is not None and catalog.state.is_restricted(refusal.ref))
        for refusal in reading.refusals
    )
    if is_private and not await catalog.rights.is_readable(location, reader, raw=True):
        return Invalid(f"{location}: {HIDDEN_INVALID}")
    return error_of_all(reading.refusals)


def _in_order(
    own_entity: Candidate, emitted: dict[str, list[Candidate]]
) -> list[Candidate]:
    """Backstage's order: the last first, and each entity before those that it emits."""
    queue, candidates = [own_entity], []
    while queue:
        candidate = queue.pop()
        candidates.append(candidate)
        queue += emitted.get(candidate.ref, ())
    return candidates


async def resume(
    catalog: CatalogContext, context: CommandContext, report: Report
) -> None:
    """Read the roots whose first reading was never finished."""
    unsettled_roots = [
        root for root in catalog.state.roots.values() if not root.settled
    ]
    for root in unsettled_roots:
        with reporting(root.name, report):
            report_unreadable(await ingest(catalog, root, context), report)


def report_unreadable(root: RootLocation, report: Report) -> None:
    """Report the problems of a root's own file, as few people read its entity."""
    for state in root.files.values():
        if state.parent == root.location.entity_ref:
            for item in state.errors:
                report(str(root.location), str(item["message"]))
