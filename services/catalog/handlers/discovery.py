"""Configured and discovered roots, which need no registration.

A Git discovery provider keeps one root for each repository of a host that has a
descriptor. A push concerns one repository; the scan compares the whole listing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from services.catalog.handlers.catalog import CatalogContext, CommandContext
from services.catalog.handlers.closed_files import is_closing, unnoted_files
from services.catalog.handlers.ingestion import ingest
from services.catalog.handlers.parsing import compute
from services.catalog.handlers.reporting import Report, reporting
from services.catalog.handlers.root_release import release_root
from services.catalog.handlers.roots import ensure_root, find_root
from services.catalog.model import (
    CONFIG,
    LocationRef,
    RepositoryPath,
    RootLocation,
)
from services.catalog.ports import SourceSnapshot, UnknownCommit
from shared.contracts.errors import (
    CallboardError,
    Invalid,
    NotFound,
    TooLarge,
    Unavailable,
)
from shared.guards.turns import in_turns

#: A listing that lacks more than this share of the roots known is not believed.
GUARD_SHARE = 0.5
GUARD_ABOVE = 3


@dataclass(frozen=True, slots=True)
class Provider:
    """Finds `path`, also a pattern, on `branch` of every repository of `host`.

    Without a `branch` that is each repository's default branch.
    """

    name: str
    host: str
    branch: str
    path: str

    @property
    def provider_id(self) -> str:
        """What the roots that it found name it by."""
        return f"git:{self.name}"


async def configure(
    catalog: CatalogContext, locations: Sequence[LocationRef]
) -> frozenset[str]:
    """Make sure that there are the roots of the configuration; returns their names."""
    roots = [await ensure_root(catalog, location, CONFIG) for location in locations]
    return frozenset(root.name for root in roots)


async def retire(
    catalog: CatalogContext,
    configured_names: frozenset[str],
    providers: Sequence[Provider],
    context: CommandContext,
) -> None:
    """Remove what is no longer configured, when all that is configured is there.

    A root that a provider of the configuration means as well stays, with its closed
    files: it, or its provider, has only got another name there.
    """
    configured_ids = {provider.provider_id for provider in providers}
    async for root in in_turns(list(catalog.state.roots.values())):
        for provider_id in root.providers - configured_ids:
            is_retired = provider_id.startswith("git:") or (
                provider_id == CONFIG and root.name not in configured_names
            )
            if is_retired:
                await _adopt(catalog, root, provider_id, providers)
                current_root = catalog.state.roots.get(root.name, root)
                await release_root(
                    catalog, current_root, provider_id, context, _is_unconfigured
                )


async def _adopt(
    catalog: CatalogContext,
    root: RootLocation,
    retired_id: str,
    providers: Sequence[Provider],
) -> None:
    """Give a root the providers that mean its file, also where a host is away."""
    try:
        place = catalog.sources.source(root.location)
    except CallboardError:
        # The address is none of its host any more.
        return
    is_closed = await is_closing(catalog, root)
    for provider in providers:
        if place.repository and place.host == provider.host.lower():
            if is_closed and retired_id != CONFIG:
                # Whatever the provider's branch is: this one may be the default no
                # more, and a scan hands over what the root closes to the one that its
                # repository has now.
                branch = place.branch
            else:
                unknown = place.branch if is_closed else ""
                branch = await _branch_of(catalog, place, provider, unknown)
            location = catalog.sources.descriptor(
                provider.host, place.repository, branch or "HEAD", provider.path
            )
            if catalog.sources.source(location) == place:
                await ensure_root(catalog, root.location, provider.provider_id)


async def _branch_of(
    catalog: CatalogContext, place: RepositoryPath, provider: Provider, unknown: str
) -> str:
    """The branch that a provider means in a repository; "" for the default branch.

    A place without a branch is on the default branch. `unknown` is the answer where the
    host does not tell its default branch now.
    """
    if not place.branch:
        return ""
    if provider.branch:
        return provider.branch
    try:
        return await catalog.sources.default_branch(place.host, place.repository)
    except CallboardError:
        return unknown


async def _is_unconfigured(_: RootLocation) -> bool:
    """What the operator's configuration does not name goes, whatever it closes."""
    return True


async def has_descriptor(catalog: CatalogContext, location: LocationRef) -> bool | None:
    """Whether there is a descriptor, be it a broken one; None: that is not known now.

    One that is too large, or a link that leaves the repository, is there as well: its
    root shows what is wrong with it.
    """
    reading = catalog.sources.reading(location)
    try:
        matches = await reading.matching(location, compute)
    except NotFound:
        return False
    except Unavailable:
        raise
    except CallboardError:
        return None
    return bool(matches) and await _is_there(reading, matches, location)


async def _is_there(
    reading: SourceSnapshot, matches: Sequence[LocationRef], location: LocationRef
) -> bool | None:
    if matches != [location]:
        return True
    try:
        await reading.read(location)
    except NotFound:
        return False
    except Unavailable:
        raise
    except UnknownCommit:
        return None
    except (Invalid, TooLarge):
        return True
    except CallboardError:
        return None
    return True


async def reconcile_repository(
    catalog: CatalogContext,
    provider: Provider,
    location: LocationRef,
    context: CommandContext,
) -> RootLocation | None:
    """Add or remove the root of a repository's descriptor; returns an added root."""
    root = find_root(catalog, location)
    is_there = await has_descriptor(catalog, location)
    is_discovered = root is not None and provider.provider_id in root.providers
    if is_there and not is_discovered:
        root = await ensure_root(catalog, location, provider.provider_id)
        return await ingest(catalog, root, context)
    if is_there is False and root is not None and is_discovered:
        await _release_if_gone(catalog, root, provider, context)
    return None


async def _release_if_gone(
    catalog: CatalogContext,
    root: RootLocation,
    provider: Provider,
    context: CommandContext,
) -> None:
    """Take a provider from a root whose own descriptor was read and is gone.

    That there was none a moment ago, or at another spelling of it, is no proof of that.
    The root of what not everybody may see stays: nothing else would close its source.
    """

    async def is_gone(current_root: RootLocation) -> bool:
        if await is_closing(catalog, current_root):
            return False
        return await has_descriptor(catalog, current_root.location) is False

    await release_root(catalog, root, provider.provider_id, context, is_gone)


async def discover(
    catalog: CatalogContext, provider: Provider, context: CommandContext, report: Report
) -> None:
    """Compare a host's whole listing with the discovered roots."""
    listing = await catalog.sources.repositories(provider.host)
    if listing is None:
        report(
            provider.name,
            f"{provider.host} cannot be listed: a repository is found by its next push",
        )
        return
    descriptors: dict[str, LocationRef] = {}
    async for repository, default_branch in in_turns(listing.items()):
        location = catalog.sources.descriptor(
            provider.host, repository, provider.branch or default_branch, provider.path
        )
        root = find_root(catalog, location)
        name = root.name if root is not None else location.entity_name
        descriptors[name] = location
    discovered_roots = list(catalog.state.provided_by(provider.provider_id))
    vanished_roots = [root for root in discovered_roots if root.name not in descriptors]
    count, total = len(vanished_roots), len(discovered_roots)
    if count > GUARD_ABOVE and count > GUARD_SHARE * total:
        report(provider.name, f"{count} of {total} repositories vanished")
        vanished_roots = []
    for location in descriptors.values():
        with reporting(f"{provider.name}: {location.target}", report):
            await reconcile_repository(catalog, provider, location, context)
    if vanished_roots:
        await _release_vanished(
            catalog, provider, vanished_roots, descriptors.values(), context
        )


async def _release_vanished(
    catalog: CatalogContext,
    provider: Provider,
    roots: Sequence[RootLocation],
    descriptors: Iterable[LocationRef],
    context: CommandContext,
) -> None:
    """Take a provider from the roots that are none of a listing's descriptors."""
    source_of = catalog.rights.source
    listed = {
        source_of(str(location)): location async for location in in_turns(descriptors)
    }

    async def may_go(root: RootLocation) -> bool:
        present = listed.get(source_of(str(root.location)))
        return present is None or await _handed_over(catalog, root, present)

    for root in roots:
        await release_root(catalog, root, provider.provider_id, context, may_go)


async def _handed_over(
    catalog: CatalogContext, root: RootLocation, location: LocationRef
) -> bool:
    """Give a root's closed files to the one that its repository has now, if it has one.

    Its default branch has another name, or the provider another path.
    """
    if not await is_closing(catalog, root):
        return True
    heir = find_root(catalog, location)
    if heir is None:
        return False
    closed = {**await unnoted_files(catalog, root), **root.closed, **heir.closed}
    stored = await catalog.roots.put(replace(heir, closed=closed))
    if stored is None:
        # Another process changed it: the next scan tries again.
        return False
    catalog.state.put_root(stored)
    return True
