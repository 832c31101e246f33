"""What counts as a user's own: themselves and their groups, as the catalog says now.

The groups of the `memberOf` relations, as Backstage's `getDefaultOwnershipEntityRefs`
counts them, and the groups above those (`childOf`): who is in a squad owns what the
squad's tribe owns. Forgotten when the catalog tells of a changed user or group, and
after a minute.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.gateway.ports import Resources
from shared.contracts.errors import CallboardError
from shared.kit import logs

KEPT_SECONDS = 60.0
#: So many levels of groups above a user's own count.
PARENT_LEVELS = 16
#: Refs of one user, and their characters. A service's token repeats them for every
#: condition of the policy and must fit into a request's head of 64 KB.
OWNERSHIP_REFS = 100
OWNERSHIP_LENGTH = 4096
#: While the catalog is away its last word counts; nobody gains rights meanwhile.
RETRY_SECONDS = 1.0


class CatalogMemberships:
    """`Memberships` from the catalog, remembered."""

    def __init__(
        self,
        resources: Resources,
        *,
        kept_seconds: float = KEPT_SECONDS,
        parent_groups: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resources = resources
        self._parent_groups = parent_groups
        self._kept = kept_seconds
        self._clock = clock
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._asking: dict[str, asyncio.Task[tuple[str, ...]]] = {}
        self._generation = 0

    async def ownership(self, user_ref: str) -> tuple[str, ...]:
        """The user's ref, their groups' refs, then those above, the nearest first.

        Groups above that exceed `OWNERSHIP_REFS` or `OWNERSHIP_LENGTH` do not count.
        """
        found = self._known.get(user_ref)
        if found is not None and found[0] > self._clock():
            return found[1]
        asking = self._asking.get(user_ref)
        if asking is None:
            asking = asyncio.ensure_future(self._ask(user_ref))
            self._asking[user_ref] = asking
            asking.add_done_callback(lambda _: self._asking.pop(user_ref, None))
        # One reader who leaves must not take the answer away from the others.
        return await asyncio.shield(asking)

    def forget(self, entity_ref: str) -> None:
        """A user or group changed; a group's change may concern any user."""
        if entity_ref.startswith("user:"):
            self._known.pop(entity_ref, None)
        elif entity_ref.startswith("group:"):
            self._known.clear()
        else:
            return
        self._generation += 1

    def forget_all(self) -> None:
        """Changes may have been missed."""
        self._known.clear()
        self._generation += 1

    async def _ask(self, user_ref: str) -> tuple[str, ...]:
        generation = self._generation
        try:
            entity = await self._resources.entity(user_ref)
            groups = _targets((entity or {}).get("relations") or (), "memberOf")
            refs = (user_ref, *sorted(groups - {user_ref}))
            if self._parent_groups:
                refs = await self._with_parents(refs)
        except CallboardError:
            stale = self._known.get(user_ref)
            refs = stale[1] if stale is not None else (user_ref,)
            self._known[user_ref] = (self._clock() + RETRY_SECONDS, refs)
            return refs
        # An answer that a change overtook is good for this request only.
        if generation == self._generation:
            self._known[user_ref] = (self._clock() + self._kept, refs)
        return refs

    async def _with_parents(self, refs: tuple[str, ...]) -> tuple[str, ...]:
        """The refs with those of the groups above them, level by level."""
        ownership = dict.fromkeys(refs)
        length = sum(map(len, refs))
        level = [ref for ref in refs if ref.startswith("group:")]
        for _ in range(PARENT_LEVELS):
            if not level:
                break
            relations = await self._resources.relations(level[:OWNERSHIP_REFS])
            above = set().union(*(_targets(each, "childOf") for each in relations))
            level = sorted(ref for ref in above if ref.startswith("group:"))
            # A ring of groups leads back to what is counted already.
            level = [ref for ref in level if ref not in ownership]
            for number, ref in enumerate(level):
                length += len(ref)
                if len(ownership) >= OWNERSHIP_REFS or length > OWNERSHIP_LENGTH:
                    _report_excess(refs[0], level[number:])
                    return tuple(ownership)
                ownership[ref] = None
        return tuple(ownership)


def _targets(relations: Sequence[Mapping[str, Any]], kind: str) -> set[str]:
    return {
        str(relation["targetRef"]).lower()
        for relation in relations
        if relation.get("type") == kind
    }


def _report_excess(user_ref: str, groups: Sequence[str]) -> None:
    log = logs.get_logger("gateway")
    log.warning("too_many_groups", user=user_ref, first_left_out=groups[0])
