"""Names of the people who are signed in, looked up at most once a minute."""

import time
from hashlib import sha256

from services.portal.api_paths import entity_path
from services.portal.entities import entity_href, ref_title, title_of
from services.portal.frame import Person
from services.portal.model import Visitor
from services.portal.ports import Api
from shared.contracts.entity import Entity

CACHE_SECONDS = 60.0
MOST_CACHED = 5_000


class People:
    """Caches names by token; a name that cannot be found is the subject's own.

    Only the API checks a token: a forged one must not decide what the page of its
    subject shows.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._cached: dict[bytes, tuple[float, Person]] = {}

    async def person(self, visitor: Visitor) -> Person:
        """How the frame shows the reader."""
        key = sha256(visitor.token.encode()).digest()
        entry = self._cached.get(key)
        if entry is not None and entry[0] > time.monotonic():
            return entry[1]
        person = await self._look_up(visitor)
        if len(self._cached) >= MOST_CACHED:
            self._cached.clear()
        self._cached[key] = (time.monotonic() + CACHE_SECONDS, person)
        return person

    async def _look_up(self, visitor: Visitor) -> Person:
        ref = visitor.subject
        if visitor.is_service:
            return Person(ref.partition(":")[2], "A service token")
        note = "Guest: may read" if visitor.is_guest else ref
        answer = await self._api.call(
            visitor, "GET", entity_path(ref), is_secondary=True
        )
        if not answer.ok:
            return Person("Guest" if visitor.is_guest else ref_title(ref), note)
        return Person(title_of(Entity(answer.json())), note, entity_href(ref))
