"""The gateway's words: who asks, what was decided, what the API answered.

Not the principal that travels to the services: `shared.kit.http.service_tokens` makes
that of these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

SESSION_COOKIE = "callboard_session"
#: Backstage's name of the cookie that opens files of documentation.
DOCS_COOKIE = "backstage-auth"

IdentityKind = Literal["user", "guest", "service"]
Result = Literal["allow", "deny", "conditional"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking.

    `subject` is a canonical entity ref (`user:default/ann`) or `service:NAME`. `kind`
    tells a guest from somebody who signed in as a person. `ownership` are the canonical
    refs that count as theirs: themselves and the groups they are a member of; of
    services it is empty. `by_cookie`: a browser's session proved it, not a token.
    `by_service`: one of our services asks on their behalf. `by_front_end`: the front
    end asks for them, as part of a page.
    """

    subject: str
    kind: IdentityKind
    ownership: tuple[str, ...] = ()
    by_cookie: bool = False
    by_service: bool = field(default=False, compare=False)
    by_front_end: bool = field(default=False, compare=False)

    @property
    def is_service(self) -> bool:
        return self.kind == "service"

    @property
    def is_guest(self) -> bool:
        return self.kind == "guest"


@dataclass(frozen=True, slots=True)
class Permission:
    """What somebody wants to do, in Backstage's words: `catalog.entity.delete`.

    `resource_type` is set where the permission is about one resource among many.
    """

    name: str
    resource_type: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyInput:
    """The one question asked of the policy: may this subject do this?"""

    subject: str
    kind: IdentityKind
    ownership: tuple[str, ...]
    permission: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The policy's answer.

    Of a conditional one, `conditions` are Backstage criteria that say on which
    resources it is yes; `reason` is for the person who was refused.
    """

    result: Result
    conditions: Mapping[str, Any] | None = field(default=None, hash=False)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What a service answered to the gateway itself.

    `value` is the body's JSON, None without any; `error` is "" of a good answer.
    """

    status: int
    value: Any
    error: str

    @property
    def ok(self) -> bool:
        return not self.error


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that just began: send `set_cookie` as the `Set-Cookie` header."""

    identity: Identity
    set_cookie: str


@dataclass(frozen=True, slots=True)
class SignInWays:
    """How one may sign in here; `development` is for trying out, never for people.

    `token`: with a service token of the installation, from the machine itself alone.
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

    `ref` is canonical, `title` what they are called, `groups` names for the reader.
    """

    ref: str
    name: str
    title: str = ""
    picture: str = ""
    groups: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event of the log as readers of the live stream get it.

    `position` is what a reader resumes after, `type` the payload's
    (`callboard.entity.updated.v1`), `subject` the aggregate (an entity ref, task id or
    repository), `document` the whole envelope as JSON bytes. `touches` are the refs
    that an `entity` filter matches, `owner` whose run it is. `entity` is what the
    reading policy judges where the document does not hold it: None means that only
    services may see such an event.
    """

    position: str
    topic: str
    type: str
    subject: str
    document: bytes
    touches: frozenset[str] = frozenset()
    entity: Mapping[str, Any] | None = field(default=None, hash=False)
    owner: str | None = None

    def data(self) -> Any:
        """The payload as JSON values."""
        return orjson.loads(self.document)["data"]
