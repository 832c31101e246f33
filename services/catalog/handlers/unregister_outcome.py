"""Which entities stay in the catalog, or come back, after a registration is removed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from services.catalog.handlers.catalog import CatalogContext
from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.handlers.roots import REGISTERED
from services.catalog.model import RootLocation
from services.catalog.planning.orphans import orphans_of


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

    @property
    def leaving(self) -> list[str]:
        """The entities that leave the catalog for good, in the order of their refs."""
        returning_refs = {
            ref
            for provider in self.other_providers
            if provider.returns
            for ref in provider.refs
        }
        return sorted(set(self.deleted) - returning_refs)


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
    names = {
        ref: root_ref.rpartition("/")[2] for ref, root_ref in orphans.roots.items()
    }
    staying_entities = [
        OtherProvider(state.roots[name], refs) for name, refs in _grouped(names.items())
    ]
    claims = ((ref, _claimant(state, ref, root)) for ref in orphans.deleted)
    returning_entities = [
        OtherProvider(state.roots[name], refs, returns=True)
        for name, refs in _grouped((ref, name) for ref, name in claims if name)
    ]
    return UnregisterOutcome(orphans.deleted, staying_entities + returning_entities)


def _claimant(state: CatalogState, ref: str, leaving: RootLocation) -> str:
    """The root that gets a name when it becomes free: the oldest that is refused it."""
    names = state.refused.targets(ref).keys() - {leaving.name}
    return min(names, key=lambda name: (state.roots[name].created, name), default="")


def _grouped(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    refs: dict[str, list[str]] = {}
    for ref, name in sorted(pairs):
        refs.setdefault(name, []).append(ref)
    return sorted(refs.items())
