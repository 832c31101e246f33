"""The principal of a request, in a short-lived token from the gateway to a service.

Tokens are signed by HMAC-SHA256 with the installation's service secret (RFC 7519,
`HS256`), which only services know. The gateway signs the tokens of users otherwise.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jwt
import orjson

from shared.contracts.errors import Forbidden, Unauthenticated

AUDIENCE = "callboard-services"
CACHE_SIZE = 4096
Kind = Literal["user", "service", "guest"]
DecisionName = Literal["allow", "conditional"]


@dataclass(frozen=True, slots=True)
class Grant:
    """The policy's decision about a further permission, with its `conditions`.

    `reason` explains a refusal to the person.
    """

    result: Literal["allow", "conditional", "deny"]
    conditions: Mapping[str, Any] | None = field(default=None, hash=False)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, and what the policy decided for this one request.

    `subject` is an entity ref (`user:default/ann`) or `service:NAME`, `ownership` its
    claims. With `decision` "conditional", `permission` is granted on the entities that
    meet `conditions` (Backstage's criteria). `also` holds the decisions about further
    permissions of the route.
    """

    subject: str
    kind: Kind
    ownership: tuple[str, ...] = ()
    permission: str | None = None
    decision: DecisionName = "allow"
    conditions: Mapping[str, Any] | None = field(default=None, hash=False)
    also: Mapping[str, Grant] = field(default_factory=dict, hash=False)

    @property
    def is_service(self) -> bool:
        """Whether a service calls for itself."""
        return self.kind == "service"

    def granted(self, permission: str) -> "Principal":
        """The same caller with the decision about a further permission.

        Raises:
            Forbidden: if the policy refuses it, or did not decide.
        """
        if permission == self.permission:
            return self
        if self.is_service and self.permission is None:
            return replace(self, permission=permission, also={})
        grant = self.also.get(permission)
        if grant is None or grant.result == "deny":
            reason = grant.reason if grant is not None else ""
            raise Forbidden(reason or f"Not allowed: {permission}")
        return replace(
            self,
            permission=permission,
            decision=grant.result,
            conditions=grant.conditions,
            also={},
        )


class PrincipalTokens:
    """Signs and verifies principals, with caches on both sides.

    The cache lets a gateway sign thousands of requests a second: a principal is signed
    again when half of its token's lifetime is over.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._signed: dict[bytes, tuple[float, str]] = {}
        self._verified: dict[str, tuple[float, Principal]] = {}

    def sign(self, principal: Principal, *, seconds: int = 60) -> str:
        """A token for `principal` that is valid for at most `seconds`."""
        key = orjson.dumps([_claims(principal), seconds])
        now = time.time()
        entry = self._signed.get(key)
        if entry is not None and entry[0] > now:
            return entry[1]
        claims = {
            **_claims(principal),
            "aud": AUDIENCE,
            "iat": int(now),
            "exp": int(now) + seconds,
        }
        token = jwt.encode(claims, self._secret, algorithm="HS256")
        _remember(self._signed, key, (now + seconds / 2, token))
        return token

    def verify(self, token: str) -> Principal:
        """The principal in `token`.

        Raises:
            Unauthenticated: if it is malformed, expired, or not signed by us.
        """
        now = time.time()
        entry = self._verified.get(token)
        if entry is not None and entry[0] > now:
            return entry[1]
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                audience=AUDIENCE,
                options={"require": ["exp", "sub", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated("Invalid service credentials") from error
        principal = Principal(
            subject=claims["sub"],
            kind=claims["typ"],
            ownership=tuple(claims.get("own", ())),
            permission=claims.get("prm"),
            decision=claims.get("dec", "allow"),
            conditions=claims.get("cnd"),
            also=_grants(claims),
        )
        _remember(self._verified, token, (float(claims["exp"]), principal))
        return principal


def _claims(principal: Principal) -> dict[str, Any]:
    # Conditions list all groups of the caller, and are the same for most permissions.
    conditions: list[Mapping[str, Any] | None] = []
    also = {}
    for name, grant in principal.also.items():
        if grant.conditions not in conditions:
            conditions.append(grant.conditions)
        place = conditions.index(grant.conditions)
        also[name] = (grant.result, place, grant.reason)
    return {
        "sub": principal.subject,
        "typ": principal.kind,
        "own": list(principal.ownership),
        "prm": principal.permission,
        "dec": principal.decision,
        "cnd": principal.conditions,
        "als": also,
        "cds": conditions,
    }


def _grants(claims: Mapping[str, Any]) -> dict[str, Grant]:
    conditions = claims.get("cds") or ()
    return {
        name: Grant(result, conditions[place], reason)
        for name, (result, place, reason) in (claims.get("als") or {}).items()
    }


def _remember(cache: dict[Any, Any], key: Any, value: Any) -> None:
    # Dropping all at the limit costs one signature per caller and needs no order.
    if len(cache) >= CACHE_SIZE:
        cache.clear()
    cache[key] = value
