"""Browser sessions: a signed cookie that scripts cannot read, and how it ends.

`SameSite=Lax` keeps other sites' forms from carrying it; `forward` checks once more.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from services.gateway.identity.tokens import SESSION, UserTokens
from services.gateway.model import (
    SESSION_COOKIE,
    Identity,
    IdentityKind,
    SignedIn,
    SignInRules,
    SignInWays,
)
from services.gateway.ports import Authenticator, EndedSessions, Memberships, Resources
from shared.contracts.errors import Forbidden, Invalid, NotFound, Unauthenticated
from shared.contracts.ref import parse_ref
from shared.guards.cookies import cookie_in

SESSION_SECONDS = 12 * 3600
#: The session after a sign-in by token: enough to set up the installation.
OPERATOR_SECONDS = 3600

#: Returns the service of a token; None: it is no token of the installation.
FindOperator = Callable[[str], Identity | None]
#: No ref of the catalog is longer.
LONGEST_REF = 1000


class BrowserSessions:
    """`Sessions` by cookie."""

    def __init__(
        self,
        tokens: UserTokens,
        memberships: Memberships,
        *,
        authenticator: Authenticator,
        operator: FindOperator,
        resources: Resources,
        ended: EndedSessions,
        rules: SignInRules,
    ) -> None:
        self._tokens = tokens
        self._memberships = memberships
        self._authenticator = authenticator
        self._operator = operator
        self._resources = resources
        self._ended = ended
        self._rules = rules

    async def identity(self, headers: Mapping[str, str]) -> Identity | None:
        """The caller; see the port."""
        return await self._authenticator.authenticate(
            headers.get("authorization"), _cookie(headers)
        )

    def ways(self) -> SignInWays:
        """The allowed sign-in methods."""
        rules = self._rules
        return SignInWays(rules.guest_ref is not None, rules.development, rules.token)

    async def sign_in_guest(self) -> SignedIn:
        """A guest's session. Raises Forbidden where guests are not allowed."""
        if self._rules.guest_ref is None:
            raise Forbidden("This installation has no guest sign-in")
        return await self._begin(self._rules.guest_ref, "guest")

    async def sign_in_as(self, user_ref: str) -> SignedIn:
        """A session as any user; see the port."""
        return await self._begin(await self.known_user(user_ref), "user")

    async def sign_in_token(self, token: str) -> SignedIn:
        """A session as a service of the installation; see the port."""
        if not self._rules.token:
            raise Forbidden("This installation has no sign-in by token")
        operator = self._operator(token)
        if operator is None:
            raise Unauthenticated("This is not a token of this installation")
        return self._session(replace(operator, by_cookie=True), OPERATOR_SECONDS)

    async def known_user(self, user_ref: str) -> str:
        """The canonical ref of a user of the development sign-in.

        Raises:
            Forbidden: unless the configuration allows that.
            NotFound: if the catalog has no such user.
        """
        if not self._rules.development:
            raise Forbidden("This installation has no development sign-in")
        if len(user_ref) > LONGEST_REF:
            raise NotFound("No user has so long a reference")
        try:
            subject = parse_ref(user_ref, default_kind="user")
        except Invalid as error:
            raise NotFound(f"No user {user_ref!r}") from error
        entity = await self._resources.entity(str(subject))
        if subject.kind.lower() != "user" or entity is None:
            raise NotFound(f"The catalog has no user {str(subject)!r}")
        return str(subject)

    async def sign_out(self, headers: Mapping[str, str]) -> None:
        """End the session; see the port."""
        try:
            claims = self._tokens.read(_cookie(headers) or "", SESSION)
        except Unauthenticated:
            return
        await self._ended.end(claims.token_id, claims.expires)

    async def _begin(self, subject: str, kind: IdentityKind) -> SignedIn:
        ownership = await self._memberships.ownership(subject)
        identity = Identity(subject, kind, ownership, by_cookie=True)
        return self._session(identity, SESSION_SECONDS)

    def _session(self, identity: Identity, seconds: int) -> SignedIn:
        token = self._tokens.issue(identity.subject, identity.kind, SESSION, seconds)
        return SignedIn(identity, token, seconds)


def _cookie(headers: Mapping[str, str]) -> str | None:
    return cookie_in(headers.get("cookie"), SESSION_COOKIE)
