"""Sign-in with the responses of Backstage's auth backend: token, profile, claims."""

from datetime import UTC, datetime

from services.gateway.identity.api_models import (
    BackstageIdentity,
    OpenIdConfiguration,
    SignInResponse,
    UserClaims,
    UserIdentity,
    UserInfo,
)
from services.gateway.identity.sessions import BrowserSessions
from services.gateway.identity.tokens import API, DOCS, UserTokens
from services.gateway.model import Identity, IdentityKind, SignInRules
from services.gateway.ports import Memberships
from shared.contracts.errors import Forbidden, NotFound

TOKEN_SECONDS = 3600
GUEST = "guest"
DEVELOPMENT = "development"


class SignIn:
    """The operations of `/api/auth/{provider}`."""

    def __init__(
        self,
        tokens: UserTokens,
        memberships: Memberships,
        sessions: BrowserSessions,
        rules: SignInRules,
    ) -> None:
        self._tokens = tokens
        self._memberships = memberships
        self._sessions = sessions
        self._guest_ref = rules.guest_ref
        self._development = rules.development

    def require_provider(self, provider: str) -> None:
        """Raises NotFound unless the configuration has this provider."""
        guest = provider == GUEST and self._guest_ref is not None
        if not guest and not (provider == DEVELOPMENT and self._development):
            raise NotFound(f"Unknown auth provider '{provider}'")

    async def refresh(self, provider: str, user_ref: str | None) -> SignInResponse:
        """A new user token; `user_ref` is the user of a development sign-in.

        Raises:
            NotFound: if there is no such provider or user.
        """
        self.require_provider(provider)
        if provider == GUEST and self._guest_ref is not None:
            return await self._response(self._guest_ref, "guest")
        if not user_ref:
            raise NotFound("userEntityRef: say which user to sign in as")
        return await self._response(await self._sessions.known_user(user_ref), "user")

    async def _response(self, subject: str, kind: IdentityKind) -> SignInResponse:
        identity = UserIdentity(
            user_entity_ref=subject,
            ownership_entity_refs=[*await self._memberships.ownership(subject)],
        )
        return SignInResponse(
            backstage_identity=BackstageIdentity(
                token=self._tokens.issue(subject, kind, API, TOKEN_SECONDS),
                identity=identity,
                expires_in_seconds=TOKEN_SECONDS,
            )
        )

    def docs_token(self, identity: Identity) -> tuple[str, str]:
        """The limited token of the docs cookie, and its expiry (ISO 8601)."""
        if identity.is_service:
            raise Forbidden("A service gets no cookie")
        token = self._tokens.issue(identity.subject, identity.kind, DOCS, TOKEN_SECONDS)
        expires = self._tokens.read(token, DOCS).expires
        moment = datetime.fromtimestamp(expires, UTC)
        return token, moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user_info(identity: Identity) -> UserInfo:
    """The claims of `/v1/userinfo`."""
    claims = UserClaims(sub=identity.subject, ent=[*identity.ownership])
    return UserInfo(claims=claims)


def openid_configuration(base: str) -> OpenIdConfiguration:
    """The discovery document; `base` is the address of `/api/auth`."""
    return OpenIdConfiguration(
        issuer=base,
        token_endpoint=f"{base}/v1/token",
        userinfo_endpoint=f"{base}/v1/userinfo",
        jwks_uri=f"{base}/.well-known/jwks.json",
    )
