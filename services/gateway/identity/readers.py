"""The tokens of the front end's API requests for the reader of a page.

A token is issued once for a reader and used with their pages for a few minutes.
"""

import time
from collections.abc import Callable

from services.gateway.identity.tokens import READER, UserTokens
from services.gateway.model import Identity

#: For so long a token is valid at least: the front end gets it with a request whose
#: form may take ten minutes to arrive, and uses it after that.
REMAINING_SECONDS = 660
REUSE_SECONDS = 240
MOST_READERS = 4096


class ReaderTokens:
    """`Readers` by signed tokens that live for a quarter of an hour."""

    def __init__(
        self, tokens: UserTokens, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._tokens = tokens
        self._clock = clock
        self._issued_tokens: dict[Identity, tuple[float, str]] = {}

    def token(self, reader: Identity) -> str:
        """A token that is valid for at least eleven minutes."""
        now = self._clock()
        until, token = self._issued_tokens.get(reader, (0.0, ""))
        if until > now:
            return token
        token = self._tokens.issue(
            reader.subject,
            reader.kind,
            READER,
            REUSE_SECONDS + REMAINING_SECONDS,
            ownership=reader.ownership,
        )
        if len(self._issued_tokens) >= MOST_READERS:
            self._issued_tokens.clear()
        self._issued_tokens[reader] = (now + REUSE_SECONDS, token)
        return token
