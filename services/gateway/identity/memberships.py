"""What counts as a user's own: themselves and their groups, as the catalog says now.

The groups of the `memberOf` relations, as Backstage's `getDefaultOwnershipEntityRefs`
counts them, and the groups above those (`childOf`): who is in a squad owns what the
squad's tribe owns. A group counts as above another one only by its own word: where its
`children` name that one, or both stand in the same file. `parent` alone would let
anybody who brings in a group make its members own what is another's. Forgotten when the
catalog tells of a changed user or group, and after a minute.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.gateway.ports import Resources
from shared.contracts.annotations import MANAGED_BY_LOCATION
from shared.contracts.errors import CallboardError, Invalid
from shared.contracts.ref import DEFAULT_NAMESPACE, parse_ref
from shared.kit.observability import logs

KEPT_SECONDS = 60.0
#: So many levels of groups above a user's own count.
PARENT_LEVELS = 16
#: Refs of one user, and their characters. A service's token repeats them for every
#: condition of the policy and must fit into a request's head of 64 KB.
OWNERSHIP_REFS = 100
OWNERSHIP_LENGTH = 4096
#: So many groups are looked at in one level: more than may count.
GROUPS_A_LEVEL = 2 * OWNERSHIP_REFS
Groups = Mapping[str, Mapping[str, Any]]
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
        groups = [ref for ref in refs if ref.startswith("group:")]
        level = await self._groups(groups)
        for _ in range(PARENT_LEVELS):
            if not level:
                break
            # A ring of groups leads back to what is counted already.
            level = await self._above(level, ownership)
            for number, ref in enumerate(level):
                length += len(ref)
                if len(ownership) >= OWNERSHIP_REFS or length > OWNERSHIP_LENGTH:
                    _report_excess(refs[0], list(level)[number:])
                    return tuple(ownership)
                ownership[ref] = None
        return tuple(ownership)

    async def _above(
        self, level: Groups, counted: Mapping[str, None]
    ) -> dict[str, Mapping[str, Any]]:
        """The groups right above a level that say so themselves, by ref."""
        below: dict[str, list[str]] = {}
        for ref, group in level.items():
            for above in _targets(group.get("relations") or (), "childOf"):
                if above.startswith("group:") and above not in counted:
                    below.setdefault(above, []).append(ref)
        found = await self._groups(sorted(below))
        return {
            ref: group
            for ref, group in found.items()
            if any(_stands_above(group, child, level[child]) for child in below[ref])
        }

    async def _groups(self, refs: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Those of the groups that are in the catalog, by ref."""
        asked = refs[:GROUPS_A_LEVEL]
        found = await self._resources.groups(asked) if asked else ()
        return {ref: group for ref, group in zip(asked, found, strict=True) if group}


def _stands_above(group: Mapping[str, Any], ref: str, child: Mapping[str, Any]) -> bool:
    """Whether a group's own descriptor, or who writes it, says that it has a child."""
    file = _file(group)
    return bool(file and file == _file(child)) or ref in _children(group)


def _file(group: Mapping[str, Any]) -> Any:
    return (group["metadata"].get("annotations") or {}).get(MANAGED_BY_LOCATION)


def _children(group: Mapping[str, Any]) -> set[str]:
    namespace = group["metadata"].get("namespace") or DEFAULT_NAMESPACE
    refs = set()
    for child in (group.get("spec") or {}).get("children") or ():
        with contextlib.suppress(Invalid):
            ref = parse_ref(
                str(child), default_kind="group", default_namespace=namespace
            )
            refs.add(str(ref))
    return refs


def _targets(relations: Sequence[Mapping[str, Any]], kind: str) -> set[str]:
    return {
        str(relation["targetRef"]).lower()
        for relation in relations
        if relation.get("type") == kind
    }


def _report_excess(user_ref: str, groups: Sequence[str]) -> None:
    log = logs.get_logger("gateway")
    log.warning("too_many_groups", user=user_ref, first_left_out=groups[0])
