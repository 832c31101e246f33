"""The gateway's types: identities, decisions, responses of services.

`shared.kit.http.service_tokens` makes the principal that services get from these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from shared.contracts.entity import Entity

SESSION_COOKIE = "callboard_session"
#: Backstage's name of the cookie that opens files of documentation.
DOCS_COOKIE = "backstage-auth"

IdentityKind = Literal["user", "guest", "service"]
Result = Literal["allow", "deny", "conditional"]


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller of a request.

    `subject` is a canonical entity ref (`user:default/ann`) or `service:NAME`. `kind`
    distinguishes a guest from a person who signed in. `ownership` holds the caller's
    claims: their own canonical ref and those of their groups; it is empty for services.
    `by_cookie`: a browser's session proved the identity, not a token. `by_service`: one
    of Callboard's services requests on their behalf. `by_front_end`: the front end
    requests for them, as part of a page. `session` is the id of the session or token of
    the sign-in, "" without one.
    """

    subject: str
    kind: IdentityKind
    ownership: tuple[str, ...] = ()
    by_cookie: bool = False
    by_service: bool = field(default=False, compare=False)
    by_front_end: bool = field(default=False, compare=False)
    session: str = field(default="", compare=False)

    @property
    def is_service(self) -> bool:
        return self.kind == "service"

    @property
    def is_guest(self) -> bool:
        return self.kind == "guest"


@dataclass(frozen=True, slots=True)
class PolicyInput:
    """The input of the policy: may this subject do this?"""

    subject: str
    kind: IdentityKind
    ownership: tuple[str, ...]
    permission: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The policy's answer.

    `conditions` are Backstage's criteria of the resources that a conditional decision
    allows; `reason` explains a refusal to the person.
    """

    result: Result
    conditions: Mapping[str, Any] | None = field(default=None, hash=False)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """A service's response to a request of the gateway itself.

    `value` is the body's JSON, None without any; `error` is "" if it succeeded.
    """

    status: int
    value: Any
    error: str

    @property
    def ok(self) -> bool:
        return not self.error


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: its token is the value of the cookie, for so many seconds."""

    identity: Identity
    token: str
    seconds: int


@dataclass(frozen=True, slots=True)
class SignInWays:
    """The allowed sign-in methods; `development` is as any user, without a password.

    `token`: with a service token of the installation, from its own machine only.
    """

    guest: bool
    development: bool
    token: bool = False


@dataclass(frozen=True, slots=True)
class SignInRules:
    """Who may sign in without a password; `guest_ref` None: no guests.

    `token`: whether a browser may sign in with a service token of the installation.
    """

    guest_ref: str | None
    development: bool
    token: bool = False


@dataclass(frozen=True, slots=True)
class UserCard:
    """A person as the development sign-in lists them.

    `ref` is canonical, `title` the display name, `groups` are names.
    """

    ref: str
    name: str
    title: str = ""
    picture: str = ""
    groups: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LastDelivery:
    """The time (ISO 8601) and outcome of a provider's last webhook."""

    at: str
    outcome: str


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event of the log as readers of the live stream get it.

    A reader resumes after a `position`. `type` is the payload's
    (`callboard.entity.updated.v1`), `subject` the aggregate (an entity ref, task id or
    repository), `document` the whole envelope as JSON bytes. `touches` are the refs
    that an `entity` filter matches, `owner` is the creator of a run. The reading policy
    is applied to `entity` where the document holds none; if it is None, only services
    get the event.
    """

    position: str
    topic: str
    type: str
    subject: str
    document: bytes
    touches: frozenset[str] = frozenset()
    entity: Entity | None = field(default=None, hash=False)
    owner: str | None = None

    def data(self) -> Any:
        """The payload as JSON values."""
        return orjson.loads(self.document)["data"]
