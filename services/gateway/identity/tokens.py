"""User tokens and sessions: ES256 JSON Web Tokens made and read by this gateway.

Four audiences, never taken for one another: API tokens (Backstage's own shape), browser
sessions, the limited token of the docs cookie, and the readers' tokens with which the
front end asks the API for whoever opened a page.
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
#: Tokens that may be a service's; an API token never is.
OF_SERVICES = frozenset({SESSION, READER})
REMEMBERED = 8192


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token proves: who, until when (seconds since the epoch), what for."""

    subject: str
    kind: IdentityKind
    expires: float
    token_id: str
    audience: Audience


class UserTokens:
    """Makes and reads tokens; a token that was read once costs a lookup."""

    def __init__(
        self, keys: KeyRing, issuer: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._clock = clock
        self._read: dict[tuple[str, Sequence[Audience]], Claims] = {}

    def issue(
        self,
        subject: str,
        kind: IdentityKind,
        audience: Audience,
        seconds: int,
        *,
        ownership: Sequence[str] = (),
    ) -> str:
        """A token for `subject` that is good for `seconds`.

        `ownership` is for whoever holds the token to look at; the gateway reads the
        catalog instead.
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
        """What the token proves, if it is for one of these audiences.

        Raises:
            Unauthenticated: if it is malformed, expired, for another audience, from
                another issuer, or not signed by a key of ours.
        """
        known = self._read.get((token, audiences))
        if known is None:
            known = self._verify(token, audiences)
            if len(self._read) >= REMEMBERED:
                self._read.clear()
            self._read[token, audiences] = known
        if known.expires <= self._clock():
            del self._read[token, audiences]
            raise Unauthenticated("The token has expired")
        return known

    def _verify(self, token: str, audiences: Sequence[Audience]) -> Claims:
        try:
            claims = self._decode(token, audiences)
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("The token has expired") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthenticated("Invalid token") from error
        kind: IdentityKind = "guest" if claims.get("kind") == "guest" else "user"
        audience: Audience = claims["aud"]
        if claims.get("kind") == "service" and audience in OF_SERVICES:
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
                # This room's clock decides about time, in `read`.
                "verify_exp": False,
                "verify_iat": False,
            },
        )
