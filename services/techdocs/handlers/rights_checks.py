"""Checks of sites whose readers may see less now, beside the builds.

A build takes as long as its docs need, and others wait for their turn. What became
hidden waits for neither.
"""

import asyncio
import logging
import time
from typing import Self

from services.techdocs.handlers.build_sources import BuildTools
from services.techdocs.handlers.builds import check_rights
from services.techdocs.model import SETTLING_SECONDS, Documented
from shared.contracts.errors import CallboardError, Unavailable

LOG = logging.getLogger("techdocs")
SWEEP_SECONDS = 2.0


class RightsChecks:
    """Checks each marked record at once, and again when its mark has settled."""

    def __init__(self, tools: BuildTools) -> None:
        self._tools = tools
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        #: By entity: when it was checked, in seconds since 1970.
        self._checked_at: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work(), name="rights-checks")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def nudge(self) -> None:
        """Look for marked records."""
        self._wake.set()

    async def check(self) -> None:
        """Raise Unavailable if the checks have ended."""
        if self._task is None or self._task.done():
            raise Unavailable("The rights to docs are not checked")

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            marked = True
            try:
                marked = await self._turn()
            except Exception as error:
                LOG.warning("rights_turn_failed", exc_info=error)
            await self._idle(SWEEP_SECONDS if marked else None)

    async def _idle(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _turn(self) -> bool:
        """Check what is due; whether some records are marked."""
        marked = await self._tools.records.with_changed_rights()
        refs = {record.ref for record in marked}
        self._checked_at = {r: at for r, at in self._checked_at.items() if r in refs}
        for record in marked:
            if self._is_due(record):
                self._checked_at[record.ref] = time.time()
                await self._check(record)
        return bool(marked)

    def _is_due(self, record: Documented) -> bool:
        checked_at = self._checked_at.get(record.ref, 0.0)
        if checked_at < record.rights_changed:
            return True
        settled_at = record.rights_changed + SETTLING_SECONDS
        return checked_at < settled_at <= time.time()

    async def _check(self, record: Documented) -> None:
        try:
            await check_rights(record, self._tools)
        except Unavailable:
            # With the next sweep: builders may be busy for long.
            self._checked_at.pop(record.ref, None)
        except (CallboardError, OSError) as error:
            LOG.info("rights_left_to_the_build: %s: %s", record.ref, error)
