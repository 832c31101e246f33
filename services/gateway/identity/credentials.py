"""Reads credentials: user tokens, sessions, static tokens, tokens of services.

It does not decide what a caller may do.
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

#: Returns the name of the service that signed a token; raises Unauthenticated.
VerifyService = Callable[[str], str]
#: Whether the session with this id was signed out before it expired.
Ended = Callable[[str], Awaitable[bool]]


class Credentials:
    """`Authenticator`: finds out who sent a request.

    `static_tokens` maps a token to the name of its program; `guest_ref` is the user
    entity of guests; `operators`: whether a browser's session may be a service's.
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
        # Looked up by digest, so that the duration reveals nothing about the tokens.
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
        """The proved identity; a scheme other than `Bearer` proves none."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._bearer(token.strip(), on_behalf_of)
        identity = await self._cookie(cookie, SESSION) if cookie else None
        if identity is None and docs_cookie:
            identity = await self._cookie(docs_cookie, DOCS)
        return identity

    async def _bearer(self, token: str, on_behalf_of: str | None) -> Identity:
        if not token:
            raise Unauthenticated("Missing credentials")
        identity = self._static.get(digest(token))
        if identity is not None:
            return identity
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
            # The token was issued for a session or a token of a service.
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
            # The configuration may have changed since the sign-in.
            identity = Identity(claims.subject, "service", by_cookie=True)
            return identity if self._operators else None
        return await self._user(claims, by_cookie=True)

    async def _user(self, claims: Claims, *, by_cookie: bool) -> Identity:
        ownership = await self._memberships.ownership(claims.subject)
        return Identity(
            claims.subject,
            claims.kind,
            ownership,
            by_cookie,
            session=claims.token_id,
        )


def digest(token: str) -> bytes:
    """The digest by which a token is looked up."""
    return hashlib.sha256(token.encode()).digest()
