"""Reads credentials: user tokens, sessions, static service tokens, our own services.

What a caller may do is not decided here.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from services.gateway.identity.tokens import (
    API,
    DOCS,
    READER,
    SESSION,
    Audience,
    Claims,
    UserTokens,
)
from services.gateway.model import Identity, IdentityKind
from services.gateway.ports import Memberships
from shared.contracts.errors import Invalid, Unauthenticated
from shared.contracts.ref import parse_ref

#: The name of the service that signed, or Unauthenticated.
VerifyService = Callable[[str], str]
#: Whether the session with this id was ended before its time.
Ended = Callable[[str], Awaitable[bool]]


class Credentials:
    """`Authenticator`: finds out who sent a request.

    `static_tokens` maps a token to the name of whoever uses it; `guest_ref` is the
    user that guests are; `operators`: whether a browser's session may be a service's.
    """

    def __init__(
        self,
        tokens: UserTokens,
        memberships: Memberships,
        *,
        static_tokens: Mapping[str, str],
        verify_service: VerifyService,
        guest_ref: str | None,
        ended: Ended,
        operators: bool = False,
    ) -> None:
        self._tokens = tokens
        self._memberships = memberships
        # Looked up by digest: the time it takes tells nothing about the tokens.
        self._static = {
            digest(token): Identity(f"service:{name}", "service")
            for token, name in static_tokens.items()
        }
        self._verify_service = verify_service
        self._guest_ref = guest_ref
        self._ended = ended
        self._operators = operators

    def operator(self, token: str) -> Identity | None:
        """The service that a token of the installation belongs to."""
        return self._static.get(digest(token))

    async def authenticate(
        self,
        authorization: str | None,
        cookie: str | None,
        *,
        on_behalf_of: str | None = None,
        docs_cookie: str | None = None,
    ) -> Identity | None:
        """Who the headers prove; a scheme that is not `Bearer` proves nobody."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._bearer(token.strip(), on_behalf_of)
        found = await self._cookie(cookie, SESSION) if cookie else None
        if found is None and docs_cookie:
            found = await self._cookie(docs_cookie, DOCS)
        return found

    async def _bearer(self, token: str, on_behalf_of: str | None) -> Identity:
        if not token:
            raise Unauthenticated("Missing credentials")
        found = self._static.get(digest(token))
        if found is not None:
            return found
        if token.count(".") != 2:
            raise Unauthenticated("Invalid token")
        try:
            claims = self._tokens.read(token, API, READER)
        except Unauthenticated:
            service = self._service(token)
            if service is None:
                raise
            if on_behalf_of is None:
                return Identity(f"service:{service}", "service")
            return await self._on_behalf(on_behalf_of)
        if claims.kind == "service":
            # Made for the session or the token of a service, which was proved then.
            return Identity(claims.subject, "service", by_front_end=True)
        user = await self._user(claims, by_cookie=False)
        return replace(user, by_front_end=claims.audience == READER)

    def _service(self, token: str) -> str | None:
        try:
            return self._verify_service(token)
        except Unauthenticated:
            return None

    async def _on_behalf(self, ref: str) -> Identity:
        try:
            subject = str(parse_ref(ref, default_kind="user"))
        except Invalid as error:
            raise Unauthenticated(f"On behalf of: {error.message}") from error
        ownership = await self._memberships.ownership(subject)
        kind: IdentityKind = "guest" if subject == self._guest_ref else "user"
        return Identity(subject, kind, ownership, by_service=True)

    async def _cookie(self, cookie: str, audience: Audience) -> Identity | None:
        try:
            claims = self._tokens.read(cookie, audience)
        except Unauthenticated:
            return None
        if await self._ended(claims.token_id):
            return None
        if claims.kind == "service":
            # Granted while the configuration allowed it: it may have changed since.
            found = Identity(claims.subject, "service", by_cookie=True)
            return found if self._operators else None
        return await self._user(claims, by_cookie=True)

    async def _user(self, claims: Claims, *, by_cookie: bool) -> Identity:
        ownership = await self._memberships.ownership(claims.subject)
        return Identity(claims.subject, claims.kind, ownership, by_cookie)


def digest(token: str) -> bytes:
    """A token's digest, as it is looked up."""
    return hashlib.sha256(token.encode()).digest()
