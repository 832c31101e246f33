"""The sources that one run may read: the catalog decides by the run's initiator.

The portal's credentials open every repository; a run reads what its initiator may read
(ADR 18). All actions, those of plugins too, read through this.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from services.scaffolder.model import Initiator
from services.scaffolder.ports import (
    HiddenLocations,
    TemplateCatalog,
    TemplateSources,
)
from shared.contracts.errors import CallboardError


class ReadableSources:
    """`TemplateSources` that checks the initiator's right before it reads."""

    def __init__(
        self, sources: TemplateSources, catalog: TemplateCatalog, initiator: Initiator
    ) -> None:
        self._sources = sources
        self._catalog = catalog
        self._initiator = initiator

    def location(self, url: str, base: str | None) -> str:
        """The location of a source."""
        return self._sources.location(url, base)

    async def missing(self, url: str, base: str | None) -> CallboardError:
        """The error of a missing source."""
        return await self._sources.missing(url, base)

    async def tree(
        self,
        url: str,
        base: str | None,
        folder: Path,
        *,
        hidden: HiddenLocations | None = None,
    ) -> Sequence[str]:
        """Write the files below `url` into `folder`; notes for the log.

        Raises:
            NotFound: if there is no such source that the run may read.
        """
        await self._require(url, base)
        return await self._sources.tree(
            url, base, folder, hidden=hidden or self._unreadable
        )

    async def file(
        self, url: str, base: str | None, *, hidden: HiddenLocations | None = None
    ) -> bytes:
        """The content of one file; NotFound as for `tree`."""
        await self._require(url, base)
        return await self._sources.file(url, base, hidden=hidden or self._unreadable)

    async def _require(self, url: str, base: str | None) -> None:
        if await self._unreadable([self._sources.location(url, base)]):
            raise await self._sources.missing(url, base)

    async def _unreadable(self, locations: Sequence[str]) -> Collection[str]:
        return await self._catalog.unreadable(locations, self._initiator)
