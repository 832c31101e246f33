"""Which entities stay in the catalog, or come back, after a registration is removed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from services.catalog.handlers.catalog import CatalogContext
from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.handlers.roots import REGISTERED
from services.catalog.model import RootLocation
from services.catalog.planning.orphans import orphans_of


@dataclass(frozen=True, slots=True)
class Remainder:
    """Entities that a root provides once a registration is gone.

    `returns`: the root is refused these names until then, so that the entities go and
    come back.
    """

    root: RootLocation
    refs: list[str]
    returns: bool = False


@dataclass(frozen=True, slots=True)
class RemovalOutcome:
    """What follows from unregistering a location.

    `deleted` are the entities that are deleted, also those that come back at once;
    `leaving` those of them that do not come back.
    """

    deleted: list[str]
    remainders: list[Remainder]

    @property
    def leaving(self) -> list[str]:
        """The entities that leave the catalog for good, in the order of their refs."""
        returning_refs = {
            ref
            for remainder in self.remainders
            if remainder.returns
            for ref in remainder.refs
        }
        return sorted(set(self.deleted) - returning_refs)


async def removal_outcome(
    catalog: CatalogContext, root: RootLocation
) -> RemovalOutcome:
    """What removing the registration of a root deletes, and what stays."""
    state = catalog.state
    orphans = await orphans_of(state, root)
    other_providers = root.providers - {REGISTERED}
    if other_providers:
        refs = sorted([*orphans.deleted, *orphans.roots])
        remainder = Remainder(replace(root, providers=other_providers), refs)
        return RemovalOutcome([], [remainder] if refs else [])
    names = {
        ref: root_ref.rpartition("/")[2] for ref, root_ref in orphans.roots.items()
    }
    staying_entities = [
        Remainder(state.roots[name], refs) for name, refs in _grouped(names.items())
    ]
    claims = ((ref, _claimant(state, ref, root)) for ref in orphans.deleted)
    returning_entities = [
        Remainder(state.roots[name], refs, returns=True)
        for name, refs in _grouped((ref, name) for ref, name in claims if name)
    ]
    return RemovalOutcome(orphans.deleted, staying_entities + returning_entities)


def _claimant(state: CatalogState, ref: str, leaving: RootLocation) -> str:
    """The root that gets a name when it becomes free: the oldest that is refused it."""
    names = state.refused.targets(ref).keys() - {leaving.name}
    return min(names, key=lambda name: (state.roots[name].created, name), default="")


def _grouped(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    refs: dict[str, list[str]] = {}
    for ref, name in sorted(pairs):
        refs.setdefault(name, []).append(ref)
    return sorted(refs.items())
