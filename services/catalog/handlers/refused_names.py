"""Which locations were refused which names, and which of those names are free now.

A location is refused a name (an entity's ref) that another location provides. Roots
store their refused names, so that finding the roots that wait for a name is a lookup.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from services.catalog.ingest.candidates import refused_ref
from services.catalog.model import RootLocation, TargetKey

#: The process that frees a name settles it; others wait, in case that process died.
FOREIGN_SECONDS = 1.0
#: After a failure it is tried again, less and less often.
RETRY_SECONDS = 5.0
RETRY_LIMIT = 300.0
#: After so many doublings the limit is reached: a higher power has no use.
DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Release:
    """A refused name that is free, or that another location provides now.

    `due` is when the refused locations are read, by the loop's clock; `is_own`: this
    process wrote the change; `tries` counts the readings that did not take the name.
    """

    ref: str
    due: float
    is_own: bool
    tries: int = 0


class RefusedNames:
    """Refused targets by name and root, and the releases that are not settled yet."""

    def __init__(self) -> None:
        self._keys: dict[str, dict[str, set[TargetKey]]] = {}
        self._releases: dict[str, Release] = {}
        self._withheld: Counter[str] = Counter()
        self._change_event = asyncio.Event()
        self._is_active = False

    def __contains__(self, ref: str) -> bool:
        return ref in self._keys

    def activate(self, is_free: Callable[[str], bool]) -> None:
        """Note releases from now on, and at once the names that are free already."""
        self._is_active = True
        for ref in self._keys:
            if is_free(ref):
                self.release(ref, is_own=True)

    def add(self, root: RootLocation) -> list[str]:
        """Index a root; returns the names that it is refused."""
        names = [(ref, key) for key, ref in _refusals(root)]
        for ref, key in names:
            self._keys.setdefault(ref, {}).setdefault(root.name, set()).add(key)
        return [ref for ref, _ in names]

    def discard(self, root: RootLocation) -> set[str]:
        """Remove a root from the index; returns the names that it was refused."""
        names = {ref for _, ref in _refusals(root)}
        for ref in names:
            roots = self._keys.get(ref, {})
            roots.pop(root.name, None)
            if not roots:
                self._keys.pop(ref, None)
        return names

    def targets(self, ref: str) -> Mapping[str, frozenset[TargetKey]]:
        """By root, the targets that were refused a name."""
        return {name: frozenset(keys) for name, keys in self._keys.get(ref, {}).items()}

    def release(self, ref: str, *, is_own: bool) -> None:
        """Note that a name has no provider any more, or another one."""
        if not self._is_active or ref not in self._keys:
            return
        before = self._releases.get(ref)
        is_own = is_own or (before is not None and before.is_own)
        due = _now() + (0.0 if is_own else FOREIGN_SECONDS)
        self._releases[ref] = Release(ref, due, is_own)
        self._change_event.set()

    @contextmanager
    def withhold(self, ref: str) -> Iterator[None]:
        """Hold a name's release back until its owner has been read again."""
        self._withheld[ref] += 1
        try:
            yield
        finally:
            self._withheld -= Counter({ref: 1})
            self._change_event.set()

    def retry(self, release: Release) -> None:
        """Try a release again later, unless the name is released again before."""
        doubled = RETRY_SECONDS * 2 ** min(release.tries, DOUBLINGS)
        wait = min(doubled, RETRY_LIMIT)
        next_try = replace(release, due=_now() + wait, tries=release.tries + 1)
        if release.ref in self._keys:
            self._releases.setdefault(release.ref, next_try)
            self._change_event.set()

    def take(self) -> list[Release]:
        """The releases that are due; they count as settled."""
        due_releases = [release for release in self._pending() if release.due <= _now()]
        for release in due_releases:
            del self._releases[release.ref]
        return due_releases

    def _pending(self) -> list[Release]:
        releases = self._releases.values()
        return [release for release in releases if release.ref not in self._withheld]

    async def wait(self) -> None:
        """Return once a release is due."""
        while True:
            self._change_event.clear()
            first_due = min((release.due for release in self._pending()), default=None)
            if first_due is not None and first_due <= _now():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout_at(first_due):
                    await self._change_event.wait()


def _refusals(root: RootLocation) -> Iterator[tuple[TargetKey, str]]:
    for key, state in root.files.items():
        for item in state.errors:
            ref = refused_ref(item)
            if ref is not None:
                yield key, ref


def _now() -> float:
    return asyncio.get_running_loop().time()
