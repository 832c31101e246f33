"""The claims of a user, from the catalog: themselves, their groups, the parent groups.

The groups are those of the `memberOf` relations, as in Backstage's
`getDefaultOwnershipEntityRefs`, and their parents (`childOf`): a member of a squad owns
what the squad's tribe owns. A group is a parent only if its own descriptor confirms it:
its `children` name the other group, or both are in the same file. With `parent` alone,
anybody who registers a group could make its members own things of another group. The
claims are discarded when a user or group changes, and after a minute.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence

from services.gateway.ports import Resources
from shared.contracts.annotations import MANAGED_BY_LOCATION
from shared.contracts.entity import Entity, list_of
from shared.contracts.errors import CallboardError, Invalid
from shared.contracts.ref import parse_ref
from shared.kit.observability import logs

CACHE_SECONDS = 60.0
#: Levels of parent groups that count.
PARENT_LEVELS = 16
#: Limits of one user's refs, and of their characters. A service's token repeats the
#: refs for every condition of the policy and must fit into a request's head of 64 KB.
OWNERSHIP_REFS = 100
OWNERSHIP_LENGTH = 4096
#: Groups that are requested for one level: more than may count.
GROUPS_A_LEVEL = 2 * OWNERSHIP_REFS
Groups = Mapping[str, Entity]
#: While the catalog is unavailable, the last claims count; nobody gains rights.
RETRY_SECONDS = 1.0
#: What a lookup may take, and how long it then counts as failed: a catalog that hangs
#: holds up each reader once in a while.
LOOKUP_SECONDS = 5.0
HANGING_SECONDS = 10.0


class CatalogMemberships:
    """`Memberships` from the catalog, with a cache."""

    def __init__(
        self,
        resources: Resources,
        *,
        cache_seconds: float = CACHE_SECONDS,
        lookup_seconds: float = LOOKUP_SECONDS,
        parent_groups: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resources = resources
        self._parent_groups = parent_groups
        self._cache_seconds = cache_seconds
        self._lookup_seconds = lookup_seconds
        self._clock = clock
        self._cache: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._lookups: dict[str, asyncio.Task[tuple[str, ...]]] = {}
        self._generation = 0

    async def ownership(self, user_ref: str) -> tuple[str, ...]:
        """The refs of the user, of their groups, then of parents, the nearest first.

        Parents that exceed `OWNERSHIP_REFS` or `OWNERSHIP_LENGTH` do not count.
        """
        expiry, refs = self._cache.get(user_ref, (0.0, ()))
        if expiry > self._clock():
            return refs
        lookup = self._lookups.get(user_ref)
        if lookup is None:
            lookup = asyncio.ensure_future(self._look_up(user_ref))
            self._lookups[user_ref] = lookup
            lookup.add_done_callback(lambda _: self._lookups.pop(user_ref, None))
        # A caller that is cancelled must not cancel the lookup of the others.
        return await asyncio.shield(lookup)

    def forget(self, entity_ref: str) -> None:
        """Discard the user's claims; a changed group may affect any user."""
        if entity_ref.startswith("user:"):
            self._cache.pop(entity_ref, None)
        elif entity_ref.startswith("group:"):
            self._cache.clear()
        else:
            return
        self._generation += 1

    def forget_all(self) -> None:
        """Discard all claims, because changes may have been missed."""
        self._cache.clear()
        self._generation += 1

    async def _look_up(self, user_ref: str) -> tuple[str, ...]:
        generation = self._generation
        try:
            async with asyncio.timeout(self._lookup_seconds):
                refs = await self._read(user_ref)
        except (CallboardError, TimeoutError) as error:
            stale = self._cache.get(user_ref)
            refs = stale[1] if stale is not None else (user_ref,)
            is_late = isinstance(error, TimeoutError)
            rest = HANGING_SECONDS if is_late else RETRY_SECONDS
            self._cache[user_ref] = (self._clock() + rest, refs)
            return refs
        # After a change during the lookup, the claims count for this request only.
        if generation == self._generation:
            self._cache[user_ref] = (self._clock() + self._cache_seconds, refs)
        return refs

    async def _read(self, user_ref: str) -> tuple[str, ...]:
        entity = await self._resources.entity(user_ref)
        groups = _targets(entity, "memberOf") if entity else set()
        refs = (user_ref, *sorted(groups - {user_ref}))
        return await self._with_parents(refs) if self._parent_groups else refs

    async def _with_parents(self, refs: tuple[str, ...]) -> tuple[str, ...]:
        """The refs and those of their parent groups, level by level."""
        ownership = dict.fromkeys(refs)
        length = sum(map(len, refs))
        groups = [ref for ref in refs if ref.startswith("group:")]
        level = await self._groups(groups)
        for _ in range(PARENT_LEVELS):
            if not level:
                break
            # A cycle of groups leads back to refs that are counted already.
            level = await self._parents_of(level, ownership)
            for number, ref in enumerate(level):
                length += len(ref)
                if len(ownership) >= OWNERSHIP_REFS or length > OWNERSHIP_LENGTH:
                    _report_excess(refs[0], list(level)[number:])
                    return tuple(ownership)
                ownership[ref] = None
        return tuple(ownership)

    async def _parents_of(
        self, level: Groups, counted: Mapping[str, None]
    ) -> dict[str, Entity]:
        """The confirmed parents of a level's groups, by ref."""
        children: dict[str, list[str]] = {}
        for ref, group in level.items():
            for parent in _targets(group, "childOf"):
                if parent.startswith("group:") and parent not in counted:
                    children.setdefault(parent, []).append(ref)
        parents = await self._groups(sorted(children))
        return {
            ref: group
            for ref, group in parents.items()
            if any(_is_parent(group, child, level[child]) for child in children[ref])
        }

    async def _groups(self, refs: Sequence[str]) -> dict[str, Entity]:
        """The groups that are in the catalog, by ref."""
        refs = refs[:GROUPS_A_LEVEL]
        groups = await self._resources.groups(refs) if refs else ()
        return {ref: group for ref, group in zip(refs, groups, strict=True) if group}


def _is_parent(group: Entity, ref: str, child: Entity) -> bool:
    """Whether a group's own descriptor, or its file, confirms that it has a child."""
    file = group.annotations.get(MANAGED_BY_LOCATION)
    is_in_same_file = file and file == child.annotations.get(MANAGED_BY_LOCATION)
    return bool(is_in_same_file) or ref in _children(group)


def _children(group: Entity) -> set[str]:
    refs = set()
    for child in list_of(group.spec.get("children")):
        with contextlib.suppress(Invalid):
            ref = parse_ref(
                str(child), default_kind="group", default_namespace=group.namespace
            )
            refs.add(str(ref))
    return refs


def _targets(entity: Entity, relation: str) -> set[str]:
    return {ref.lower() for ref in entity.targets(relation)}


def _report_excess(user_ref: str, groups: Sequence[str]) -> None:
    log = logs.get_logger("gateway")
    log.warning("too_many_groups", user=user_ref, first_left_out=groups[0])
