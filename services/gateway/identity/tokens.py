"""User tokens and sessions: ES256 JSON Web Tokens made and read by this gateway.

Three audiences, never taken for one another: API tokens (Backstage's own shape),
browser sessions, and the limited token of the docs cookie.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jwt

from services.gateway.identity.keys import ALGORITHM, KeyRing
from services.gateway.model import IdentityKind
from shared.contracts.errors import Unauthenticated

Audience = Literal["backstage", "callboard-session", "callboard-docs"]
API: Audience = "backstage"
SESSION: Audience = "callboard-session"
DOCS: Audience = "callboard-docs"
REMEMBERED = 8192


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token proves: who, until when (seconds since the epoch), and its id."""

    subject: str
    kind: IdentityKind
    expires: float
    token_id: str


class UserTokens:
    """Makes and reads tokens; a token that was read once costs a lookup."""

    def __init__(
        self, keys: KeyRing, issuer: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._clock = clock
        self._read: dict[tuple[str, str], Claims] = {}

    def issue(
        self, subject: str, kind: IdentityKind, audience: Audience, seconds: int
    ) -> str:
        """A token for `subject` that is good for `seconds`."""
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
        }
        headers = {"kid": key.kid, "typ": "vnd.backstage.user"}
        return jwt.encode(claims, key.private, ALGORITHM, headers=headers)

    def read(self, token: str, audience: Audience) -> Claims:
        """What the token proves.

        Raises:
            Unauthenticated: if it is malformed, expired, for another audience, from
                another issuer, or not signed by a key of ours.
        """
        found = self._read.get((token, audience))
        if found is None:
            found = self._verify(token, audience)
            if len(self._read) >= REMEMBERED:
                self._read.clear()
            self._read[token, audience] = found
        if found.expires <= self._clock():
            del self._read[token, audience]
            raise Unauthenticated("The token has expired")
        return found

    def _verify(self, token: str, audience: Audience) -> Claims:
        try:
            claims = self._decode(token, audience)
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("The token has expired") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthenticated("Invalid token") from error
        kind: IdentityKind = "guest" if claims.get("kind") == "guest" else "user"
        if claims.get("kind") == "service" and audience == SESSION:
            kind = "service"
        return Claims(claims["sub"], kind, float(claims["exp"]), claims["jti"])

    def _decode(self, token: str, audience: Audience) -> dict[str, Any]:
        kid = str(jwt.get_unverified_header(token).get("kid"))
        key = self._keys.find(kid)
        if key is None:
            raise jwt.InvalidKeyError
        return jwt.decode(
            token,
            key.private.public_key(),
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=self._issuer,
            options={
                "require": ["exp", "iat", "sub", "aud", "iss", "jti"],
                # This room's clock decides about time, in `read`.
                "verify_exp": False,
                "verify_iat": False,
            },
        )
