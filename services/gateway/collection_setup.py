"""Prepares the gateway's collections at its start, as soon as the documents answer."""

import asyncio
from typing import Self

from services.gateway.identity.store import ENDED_SESSIONS, MongoEndedSessions
from services.gateway.preferences.store import PREFERENCES
from services.gateway.webhooks.store import DELIVERIES
from shared.contracts.errors import CallboardError, Unavailable
from shared.kit.documents.migrations import prepare
from shared.kit.documents.mongo import Database, unavailable_as_error
from shared.kit.observability import logs
from shared.kit.processes import tasks
from shared.kit.resilience.retries import Backoff, retry

COLLECTIONS = (ENDED_SESSIONS, PREFERENCES, DELIVERIES)
BACKOFF = Backoff.every(2.0)


class CollectionSetup:
    """Prepares the collections and loads the ended sessions, in the background.

    The gateway answers meanwhile, because most of it needs no documents. It is not
    ready: a session that was ended must not be accepted while the list is not loaded.
    """

    def __init__(self, database: Database, ended_sessions: MongoEndedSessions) -> None:
        self._database = database
        self._ended_sessions = ended_sessions
        self._reason: str | None = "The ended sessions are not loaded yet"
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._load(), name="collection-setup")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await tasks.end(self._task)

    async def check(self) -> None:
        """Raise Unavailable unless the documents answer and all is loaded."""
        if self._reason is not None:
            raise Unavailable(self._reason)
        with unavailable_as_error():
            await self._database.command("ping")

    async def _load(self) -> None:
        await retry(self._load_once, BACKOFF, on=(CallboardError,), note=self._note)
        self._reason = None

    async def _load_once(self) -> None:
        await prepare(self._database, COLLECTIONS)
        await self._ended_sessions.load()

    def _note(self, error: Exception, _: float) -> None:
        self._reason = str(error)
        logs.get_logger("gateway").warning("documents_not_ready", reason=str(error))
