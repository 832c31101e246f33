"""The tokens with which the front end asks the API for whoever opened a page.

A token is made once for a reader and given with each of their pages for a few minutes.
"""

import time
from collections.abc import Callable

from services.gateway.identity.tokens import READER, UserTokens
from services.gateway.model import Identity

#: A form may take ten minutes to arrive before the front end asks anything.
LEFT_SECONDS = 660
GIVEN_SECONDS = 240
READERS = 4096


class ReaderTokens:
    """`Readers` by signed tokens that live a quarter of an hour."""

    def __init__(
        self, tokens: UserTokens, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._tokens = tokens
        self._clock = clock
        self._given: dict[Identity, tuple[float, str]] = {}

    def token(self, reader: Identity) -> str:
        """A token that is good for eleven minutes at least."""
        now = self._clock()
        until, token = self._given.get(reader, (0.0, ""))
        if until > now:
            return token
        token = self._tokens.issue(
            reader.subject,
            reader.kind,
            READER,
            GIVEN_SECONDS + LEFT_SECONDS,
            ownership=reader.ownership,
        )
        if len(self._given) >= READERS:
            self._given.clear()
        self._given[reader] = (now + GIVEN_SECONDS, token)
        return token
