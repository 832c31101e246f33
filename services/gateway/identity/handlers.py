"""Sign-in with the responses of Backstage's auth backend: token, profile, claims."""

from datetime import UTC, datetime
from typing import Any

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

    async def refresh(self, provider: str, user_ref: str | None) -> dict[str, Any]:
        """A new user token; `user_ref` is the user of a development sign-in.

        Raises:
            NotFound: if there is no such provider or user.
        """
        self.require_provider(provider)
        if provider == GUEST and self._guest_ref is not None:
            return await self._answer(self._guest_ref, "guest")
        if not user_ref:
            raise NotFound("userEntityRef: say which user to sign in as")
        return await self._answer(await self._sessions.known_user(user_ref), "user")

    async def _answer(self, subject: str, kind: IdentityKind) -> dict[str, Any]:
        return {
            "profile": {},
            "backstageIdentity": {
                "token": self._tokens.issue(subject, kind, API, TOKEN_SECONDS),
                "identity": {
                    "type": "user",
                    "userEntityRef": subject,
                    "ownershipEntityRefs": [
                        *await self._memberships.ownership(subject)
                    ],
                },
                "expiresInSeconds": TOKEN_SECONDS,
            },
        }

    def docs_token(self, identity: Identity) -> tuple[str, str]:
        """The limited token of the docs cookie, and its expiry (ISO 8601)."""
        if identity.is_service:
            raise Forbidden("A service gets no cookie")
        token = self._tokens.issue(identity.subject, identity.kind, DOCS, TOKEN_SECONDS)
        expires = self._tokens.read(token, DOCS).expires
        moment = datetime.fromtimestamp(expires, UTC)
        return token, moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user_info(identity: Identity) -> dict[str, Any]:
    """The claims of `/v1/userinfo`."""
    return {"claims": {"sub": identity.subject, "ent": [*identity.ownership]}}


def openid_configuration(base: str) -> dict[str, Any]:
    """The discovery document; `base` is the address of `/api/auth`."""
    return {
        "issuer": base,
        "token_endpoint": f"{base}/v1/token",
        "userinfo_endpoint": f"{base}/v1/userinfo",
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid"],
        "token_endpoint_auth_methods_supported": [],
        "claims_supported": ["sub", "ent"],
        "grant_types_supported": [],
    }
