"""Which entities stay in the catalog, or come back, after a registration is removed."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace

from services.catalog.handlers.catalog import CatalogContext
from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.model import REGISTERED, RootLocation
from services.catalog.planning.orphans import orphans_of
from shared.guards.turns import in_turns, sort_in_turns


@dataclass(frozen=True, slots=True)
class OtherProvider:
    """Entities that a root provides once a registration is gone.

    `returns`: the root is refused these names until then, so that the entities go and
    come back.
    """

    root: RootLocation
    refs: list[str]
    returns: bool = False


@dataclass(frozen=True, slots=True)
class UnregisterOutcome:
    """What follows from unregistering a location.

    `deleted` are the entities that are deleted, also those that come back at once;
    `leaving` those of them that do not come back.
    """

    deleted: list[str]
    other_providers: list[OtherProvider]

    async def leaving(self) -> list[str]:
        """The entities that leave the catalog for good, in the order of their refs."""
        returning_refs = {
            ref
            for provider in self.other_providers
            if provider.returns
            for ref in provider.refs
        }
        return await sort_in_turns([*set(self.deleted) - returning_refs], str)


async def unregister_outcome(
    catalog: CatalogContext, root: RootLocation
) -> UnregisterOutcome:
    """What removing the registration of a root deletes, and what stays."""
    state = catalog.state
    orphans = await orphans_of(state, root)
    providers = root.providers - {REGISTERED}
    if providers:
        refs = sorted([*orphans.deleted, *orphans.roots])
        same_root = OtherProvider(replace(root, providers=providers), refs)
        return UnregisterOutcome([], [same_root] if refs else [])
    names = (
        (ref, root_ref.rpartition("/")[2]) for ref, root_ref in orphans.roots.items()
    )
    staying_entities = [
        OtherProvider(state.roots[name], refs) async for name, refs in _grouped(names)
    ]
    claims = ((ref, _claimant(state, ref, root)) for ref in orphans.deleted)
    returning_entities = [
        OtherProvider(state.roots[name], refs, returns=True)
        async for name, refs in _grouped(claims)
    ]
    return UnregisterOutcome(orphans.deleted, staying_entities + returning_entities)


def _claimant(state: CatalogState, ref: str, leaving: RootLocation) -> str:
    """The root that gets a name when it becomes free: the oldest that is refused it."""
    names = state.refused.targets(ref).keys() - {leaving.name}
    return min(names, key=lambda name: (state.roots[name].created, name), default="")


async def _grouped(
    pairs: Iterable[tuple[str, str]],
) -> AsyncIterator[tuple[str, list[str]]]:
    """The refs by name, both in order, without those that have no name."""
    refs_by_name: dict[str, list[str]] = {}
    async for ref, name in in_turns(pairs):
        if name:
            refs_by_name.setdefault(name, []).append(ref)
    for name in sorted(refs_by_name):
        yield name, await sort_in_turns(refs_by_name[name], str)
