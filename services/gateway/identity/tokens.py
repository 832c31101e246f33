"""User tokens and sessions: ES256 JSON Web Tokens that this gateway issues and reads.

A token has one of four audiences: the API (in Backstage's format), a browser's session,
the docs cookie with its limited rights, or the front end's requests for a reader.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jwt

from services.gateway.identity.keys import ALGORITHM, KeyRing
from services.gateway.model import IdentityKind
from shared.contracts.errors import Unauthenticated

Audience = Literal[
    "backstage", "callboard-session", "callboard-docs", "callboard-reader"
]
API: Audience = "backstage"
SESSION: Audience = "callboard-session"
DOCS: Audience = "callboard-docs"
READER: Audience = "callboard-reader"
#: Audiences of tokens that may be a service's; an API token never is.
SERVICE_AUDIENCES = frozenset({SESSION, READER})
CACHE_SIZE = 8192


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token; `expires` is in seconds since the epoch."""

    subject: str
    kind: IdentityKind
    expires: float
    token_id: str
    audience: Audience


class UserTokens:
    """Issues and reads tokens; the claims of a token are cached."""

    def __init__(
        self, keys: KeyRing, issuer: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._clock = clock
        self._cache: dict[tuple[str, Sequence[Audience]], Claims] = {}

    def issue(
        self,
        subject: str,
        kind: IdentityKind,
        audience: Audience,
        seconds: int,
        *,
        ownership: Sequence[str] = (),
    ) -> str:
        """A token for `subject` that is valid for `seconds`.

        `ownership` informs the holder of the token; the gateway itself reads the
        catalog.
        """
        now = int(self._clock())
        key = self._keys.signing()
        claims = {
            "iss": self._issuer,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "exp": now + seconds,
            "jti": str(uuid.uuid4()),
            "kind": kind,
            **({"ent": list(ownership)} if ownership else {}),
        }
        headers = {"kid": key.kid, "typ": "vnd.backstage.user"}
        return jwt.encode(claims, key.private, ALGORITHM, headers=headers)

    def read(self, token: str, *audiences: Audience) -> Claims:
        """The claims of a token for one of these audiences.

        Raises:
            Unauthenticated: if it is malformed, expired, for another audience, from
                another issuer, or not signed by a key of ours.
        """
        claims = self._cache.get((token, audiences))
        if claims is None:
            claims = self._verify(token, audiences)
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            self._cache[token, audiences] = claims
        if claims.expires <= self._clock():
            del self._cache[token, audiences]
            raise Unauthenticated("The token has expired")
        return claims

    def _verify(self, token: str, audiences: Sequence[Audience]) -> Claims:
        try:
            claims = self._decode(token, audiences)
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("The token has expired") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthenticated("Invalid token") from error
        kind: IdentityKind = "guest" if claims.get("kind") == "guest" else "user"
        audience: Audience = claims["aud"]
        if claims.get("kind") == "service" and audience in SERVICE_AUDIENCES:
            kind = "service"
        expires = float(claims["exp"])
        return Claims(claims["sub"], kind, expires, claims["jti"], audience)

    def _decode(self, token: str, audiences: Sequence[Audience]) -> dict[str, Any]:
        kid = str(jwt.get_unverified_header(token).get("kid"))
        key = self._keys.find(kid)
        if key is None:
            raise jwt.InvalidKeyError
        return jwt.decode(
            token,
            key.private.public_key(),
            algorithms=[ALGORITHM],
            audience=audiences,
            issuer=self._issuer,
            options={
                "require": ["exp", "iat", "sub", "aud", "iss", "jti"],
                # `read` checks the time by this object's clock.
                "verify_exp": False,
                "verify_iat": False,
            },
        )
