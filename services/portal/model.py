"""Who visits a page, and what the public API answered."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, field_validator

from shared.contracts.errors import Invalid
from shared.contracts.ref import parse_ref

VisitorKind = Literal["user", "guest", "service"]
OTHER_KINDS: Mapping[str | None, VisitorKind] = {"guest": "guest", "service": "service"}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who reads a page, as their token says.

    `subject` is a canonical entity ref (`user:default/ann`) or `service:NAME`. `kind`
    tells a guest from somebody who signed in as a person. `ownership` are the visitor's
    own ref and those of their groups; a service has none. `token` goes with each
    request to the API. `client` is their address and a digest of their sign-in, which
    tell guests apart.
    """

    subject: str
    kind: VisitorKind
    ownership: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    client: tuple[str, str] = field(default=("", ""), compare=False)

    @property
    def is_service(self) -> bool:
        return self.kind == "service"

    @property
    def is_guest(self) -> bool:
        return self.kind == "guest"


def visitor_of(authorization: str | None, client: str = "") -> Visitor | None:
    """The visitor that the gateway sent a request for; None: nobody is signed in.

    `client` is what its header of that name says.

    The API checks the token's signature: a forged token shows empty pages.
    """
    scheme, _, token = (authorization or "").partition(" ")
    claims = _claims(token) if scheme.lower() == "bearer" else None
    if claims is None:
        return None
    address, _, sign_in = client.partition(" ")
    return Visitor(
        subject=claims.sub,
        kind=OTHER_KINDS.get(claims.kind, "user"),
        ownership=tuple(claims.ent or ()),
        token=token,
        client=(address, sign_in),
    )


class _Claims(BaseModel):
    """The claims that a page reads."""

    model_config = ConfigDict(strict=True)

    sub: str
    kind: str | None = None
    ent: list[str] | None = None

    @field_validator("sub")
    @classmethod
    def _check_sub(cls, sub: str) -> str:
        parse_ref(sub)
        return sub


def _claims(token: str) -> _Claims | None:
    """The claims in a JSON Web Token (RFC 7519), None if it is none."""
    payload = token.split(".")[1:2]
    try:
        return _Claims.model_validate_json(base64.urlsafe_b64decode(f"{payload[0]}=="))
    except (IndexError, binascii.Error, ValueError, Invalid):
        return None


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the public API answered; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON values; None when it is empty or no JSON."""
        try:
            return orjson.loads(self.body) if self.body else None
        except orjson.JSONDecodeError:
            return None

    @property
    def error(self) -> str:
        """The error's message, or "" of a good answer."""
        if self.ok:
            return ""
        body = self.json()
        error = body.get("error") if isinstance(body, dict) else None
        message = error.get("message") if isinstance(error, dict) else None
        return str(message) if message else f"The service answered {self.status}"
