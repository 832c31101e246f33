"""Takeovers: a location that was refused a name is read again when the name is free.

The first registrant wins: of several refused locations the oldest is read first. The
errors of the others name the new provider.
"""

import asyncio
from collections.abc import Collection, Sequence

from services.catalog.handlers.catalog import CatalogContext, context_for
from services.catalog.handlers.ingestion import ingest
from services.catalog.handlers.refused_names import Release
from services.catalog.handlers.reporting import Report, reporting
from services.catalog.handlers.state_follower import StateFollower
from services.catalog.model import TargetKey
from shared.contracts.errors import CallboardError


class Takeovers:
    """Reads the refused locations of one process' catalog again."""

    def __init__(
        self, catalog: CatalogContext, follower: StateFollower, report: Report
    ) -> None:
        self._catalog = catalog
        self._follower = follower
        self._report = report
        self._names = catalog.state.refused
        self._settling = asyncio.Lock()

    def activate(self) -> None:
        """Note releases from now on, and names that are free already."""
        self._names.activate(self._is_free)

    async def run(self) -> None:
        """Settle every release when it is due; never returns."""
        while True:
            await self._names.wait()
            try:
                await self.settle()
            except Exception as error:  # noqa: BLE001 - the loop must go on
                self._report("takeover", f"{type(error).__name__}: {error}")

    async def settle(self) -> None:
        """Read the refused locations of all names that are released."""
        async with self._settling:
            while releases := self._names.take():
                await self._ask(releases)

    async def _ask(self, releases: Sequence[Release]) -> None:
        try:
            await self._learn(releases)
            for name, keys in self._by_age(releases):
                await self._read(name, keys)
        finally:
            for release in releases:
                if self._is_free(release.ref):
                    self._names.retry(release)

    async def _learn(self, releases: Sequence[Release]) -> None:
        """Learn what became of names that other processes wrote."""
        foreign_refs = [release.ref for release in releases if not release.is_own]
        names = {name for ref in foreign_refs for name in self._names.targets(ref)}
        try:
            await self._follower.learn_roots(names)
        except CallboardError as error:
            self._report("takeover", error.message)

    def _by_age(self, releases: Sequence[Release]) -> list[tuple[str, set[TargetKey]]]:
        """The refused targets by root, the oldest root first."""
        targets: dict[str, set[TargetKey]] = {}
        for release in releases:
            for name, keys in self._names.targets(release.ref).items():
                targets.setdefault(name, set()).update(keys)
        roots = self._catalog.state.roots
        return sorted(targets.items(), key=lambda item: (roots[item[0]].created, item))

    async def _read(self, name: str, keys: Collection[TargetKey]) -> None:
        root = self._catalog.state.roots.get(name)
        if root is None:
            return
        with reporting(name, self._report):
            await ingest(self._catalog, root, context_for("scan"), only=keys)

    def _is_free(self, ref: str) -> bool:
        return self._catalog.state.parents(ref) is None
