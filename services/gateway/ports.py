"""What the gateway's floors need of each other and of the outside.

The floors (identity, policy, forward, webhooks, stream) meet here only.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from services.gateway.model import (
    Decision,
    Identity,
    LiveEvent,
    PolicyInput,
    ServiceAnswer,
    SignedIn,
    SignInWays,
    UserCard,
)
from shared.contracts.gateway import RepositoryPushed
from shared.contracts.permissions import Need

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]


class Services(Protocol):
    """The services behind the gateway, asked by the gateway itself."""

    async def ask(
        self,
        service: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        reader: Identity | None = None,
    ) -> ServiceAnswer:
        """What `service` answers at `path`, to a POST where `json` is given.

        The gateway asks for itself and no policy is asked; or for `reader`, and the
        answer shows what the policy lets them see. A service that is away, and a policy
        that says no, are answers with an error.
        """
        ...

    async def probe(self, service: str, path: str) -> ServiceAnswer:
        """What it answers at `path` to a caller who does not say who they are."""
        ...


class Sessions(Protocol):
    """Who a browser is, and how somebody signs in and out with it.

    Requests that change something and come with a session cookie were checked before
    they get here: their `Sec-Fetch-Site` or `Origin` is this site's own.
    """

    async def identity(self, headers: Mapping[str, str]) -> Identity | None:
        """Who asks, by `Authorization` or the session cookie; None: nobody signed in.

        An expired or forged cookie is nobody; a bad token raises Unauthenticated.
        """
        ...

    def ways(self) -> SignInWays:
        """What the configuration allows."""
        ...

    async def sign_in_guest(self) -> SignedIn:
        """A guest's session. Raises Forbidden where guests are not allowed."""
        ...

    async def sign_in_as(self, user_ref: str) -> SignedIn:
        """A session as any user of the catalog.

        Raises Forbidden unless the configuration allows the development sign-in, and
        NotFound if the catalog has no such user.
        """
        ...

    async def sign_in_token(self, token: str) -> SignedIn:
        """A session as the service that a token of the installation belongs to.

        Raises Forbidden unless the configuration allows it, and Unauthenticated if
        it is no such token.
        """
        ...

    async def sign_out(self, headers: Mapping[str, str]) -> str:
        """Ends the session; the `Set-Cookie` header that removes the cookie."""
        ...


class Users(Protocol):
    """The users that the development sign-in offers."""

    async def users(self, text: str = "", *, limit: int = 50) -> Sequence[UserCard]:
        """Users that a guest may see, whose name or title holds `text`, by name.

        Raises Unavailable if they cannot be listed.
        """
        ...

    async def has_users(self) -> bool:
        """Whether the catalog has any user; raises Unavailable if it is away."""
        ...


class Memberships(Protocol):
    """Which refs count as a user's own."""

    async def ownership(self, user_ref: str) -> tuple[str, ...]:
        """The user's own ref, their groups' and those of the groups above."""
        ...

    def forget(self, entity_ref: str) -> None:
        """A user or group changed: ask again."""
        ...

    def forget_all(self) -> None:
        """Changes may have been missed: ask again about everybody."""
        ...


class Authenticator(Protocol):
    """Who sent a request."""

    async def authenticate(
        self,
        authorization: str | None,
        cookie: str | None,
        *,
        on_behalf_of: str | None = None,
        docs_cookie: str | None = None,
    ) -> Identity | None:
        """The identity that the headers prove; None when they hold no credentials.

        `cookie` is the session's, `docs_cookie` the limited one that only documentation
        pages are served for.

        Raises Unauthenticated for an expired, forged or foreign token.
        """
        ...


class Readers(Protocol):
    """Tokens for the front end."""

    def token(self, reader: Identity) -> str:
        """The token with which the front end asks the API for a reader of its pages."""
        ...


class EndedSessions(Protocol):
    """Sessions that were signed out before their time was over."""

    async def ended(self, session: str) -> bool:
        """Whether this session (its id) was ended."""
        ...

    async def end(self, session: str, until: float) -> None:
        """Ends it; `until` (seconds since the epoch) it would have lived."""
        ...


class Policy(Protocol):
    """OPA's one question; an unreachable policy raises Unavailable, never allows."""

    async def decide(self, question: PolicyInput) -> Decision:
        """May this subject do this?"""
        ...


class PermissionChecker(Protocol):
    """The policy asked for an identity, with what was answered before remembered."""

    async def decision(self, identity: Identity, permission: str) -> Decision:
        """What the policy says; services and a switched-off policy are allowed all."""
        ...


class Routes(Protocol):
    """Which permission a request to a plugin needs."""

    def need(self, plugin: str, method: str, path: str) -> Need:
        """The permission and what it takes along; `path` is below the plugin's root."""
        ...


class Resources(Protocol):
    """The services that own resources and can test conditions on one of them."""

    async def apply_conditions(
        self, conditions: Mapping[str, Any], refs: Sequence[str]
    ) -> list[bool]:
        """Whether each resource meets the conditions; one that is missing does not."""
        ...

    async def entity(self, ref: str) -> Mapping[str, Any] | None:
        """The entity, or None if there is none."""
        ...

    async def groups(self, refs: Sequence[str]) -> Sequence[Mapping[str, Any] | None]:
        """Each group with its origin, children and relations; None if there is none."""
        ...


class LiveEvents(Protocol):
    """The event log as it happens, narrowed to what a reader may see."""

    def position(self) -> str:
        """The position of the newest event: subscribe after it to miss nothing."""
        ...

    def subscribe(
        self,
        identity: Identity,
        *,
        topics: Collection[str] = (),
        entity: str | None = None,
        after: str | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[LiveEvent | None]]:
        """Events from now on, or after the position `after`.

        None in the stream means: the position is too old, read everything again. The
        stream ends when the reader is too slow; resume after the last position.
        """
        ...


class PushLog(Protocol):
    """Where pushes are told."""

    async def tell(self, pushes: Sequence[RepositoryPushed]) -> None:
        """Publishes, and returns once the log has it. Raises Unavailable."""
        ...


class Deliveries(Protocol):
    """Which webhook deliveries were published before."""

    async def was_published(self, delivery: str) -> bool:
        """Whether this delivery was published. Raises Unavailable."""
        ...

    async def mark(self, delivery: str) -> None:
        """Remembers that this delivery was published. Raises Unavailable."""
        ...


class PreferenceStore(Protocol):
    """What people keep for themselves, by bucket and key."""

    async def get(
        self, person: str, wanted: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], Any]:
        """The values that there are of those wanted."""
        ...

    async def put(self, person: str, bucket: str, key: str, value: Any) -> None:
        """Keeps a value."""
        ...

    async def drop(self, person: str, bucket: str, key: str) -> None:
        """Forgets a value; one that is not there is forgotten already."""
        ...
