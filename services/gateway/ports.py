"""The protocols between the gateway's rooms, and to the outside.

The rooms identity, policy, forward, webhooks and stream import each other only here.
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
from shared.contracts.entity import Entity
from shared.contracts.gateway import RepositoryPushed
from shared.contracts.permissions import Need

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]


class Services(Protocol):
    """Requests of the gateway itself to the services behind it."""

    async def ask(
        self,
        service: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        reader: Identity | None = None,
    ) -> ServiceAnswer:
        """The response of `service` at `path`: to a GET, or with `json` to a POST.

        The gateway requests for itself, without the policy; or for `reader`, who gets
        what the policy lets them see. An unavailable service and a refusal by the
        policy are responses with an error.
        """
        ...

    async def probe(self, service: str, path: str) -> ServiceAnswer:
        """The response of `service` at `path` to an anonymous request."""
        ...


class Sessions(Protocol):
    """Sessions of browsers: identity, sign-in and sign-out.

    Changing requests with a session cookie were checked before: their `Sec-Fetch-Site`
    or `Origin` is this site's own.
    """

    async def identity(self, headers: Mapping[str, str]) -> Identity | None:
        """The caller, by `Authorization` or the session cookie; None: not signed in.

        An expired or forged cookie gives None; a bad token raises Unauthenticated.
        """
        ...

    def ways(self) -> SignInWays:
        """The sign-in methods that the configuration allows."""
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

    async def sign_out(self, headers: Mapping[str, str]) -> None:
        """End the session of the cookie in the headers."""
        ...


class Users(Protocol):
    """The users that the development sign-in offers."""

    async def users(self, text: str = "", *, limit: int = 50) -> Sequence[UserCard]:
        """Users that a guest may see, whose name or title holds `text`, by name.

        Raises Unavailable if they cannot be listed.
        """
        ...

    async def has_users(self) -> bool:
        """Whether the catalog has any user; raises Unavailable."""
        ...


class Memberships(Protocol):
    """The claims of users."""

    async def ownership(self, user_ref: str) -> tuple[str, ...]:
        """The refs of the user, of their groups and of the parent groups."""
        ...

    def forget(self, entity_ref: str) -> None:
        """Discard the claims that a changed user or group may affect."""
        ...

    def forget_all(self) -> None:
        """Discard all claims, because changes may have been missed."""
        ...


class Authenticator(Protocol):
    """Finds out who sent a request."""

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
        """The token of the front end's API requests for a reader of its pages."""
        ...


class EndedSessions(Protocol):
    """Sessions that were signed out before they expired."""

    async def ended(self, session: str) -> bool:
        """Whether this session (its id) was ended."""
        ...

    async def end(self, session: str, until: float) -> None:
        """End a session that would expire at `until` (seconds since the epoch)."""
        ...


class Policy(Protocol):
    """OPA's decisions; an unreachable policy raises Unavailable and never allows."""

    async def decide(self, question: PolicyInput) -> Decision:
        """Decide whether the subject has the permission."""
        ...


class PermissionChecker(Protocol):
    """The policy's decisions for an identity, with a cache."""

    async def decision(self, identity: Identity, permission: str) -> Decision:
        """The decision; all is allowed to services, and where the policy is off."""
        ...


class Routes(Protocol):
    """Which permission a request to a plugin needs."""

    def need(self, plugin: str, method: str, path: str) -> Need:
        """The permission and its rules; `path` is below the plugin's root."""
        ...


class Resources(Protocol):
    """The services that own resources and can test conditions on one of them."""

    async def apply_conditions(
        self, conditions: Mapping[str, Any], refs: Sequence[str]
    ) -> list[bool]:
        """Whether each resource meets the conditions; one that is missing does not."""
        ...

    async def entity(self, ref: str) -> Entity | None:
        """The entity, or None if there is none."""
        ...

    async def groups(self, refs: Sequence[str]) -> Sequence[Entity | None]:
        """Each group with its origin, children and relations; None if there is none."""
        ...


class LiveEvents(Protocol):
    """The live event log, reduced to what a reader may see."""

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

        None in the stream means that the position is too old: the reader must read
        everything again. The stream ends when the reader is too slow; they resume after
        the last position.
        """
        ...


class PushLog(Protocol):
    """Publishes pushes."""

    async def publish(self, pushes: Sequence[RepositoryPushed]) -> None:
        """Publish, and return once the log has it. Raises Unavailable."""
        ...


class Deliveries(Protocol):
    """Which webhook deliveries were published before."""

    async def was_published(self, delivery: str) -> bool:
        """Whether this delivery was published. Raises Unavailable."""
        ...

    async def mark(self, delivery: str) -> None:
        """Record that this delivery was published. Raises Unavailable."""
        ...


class PreferenceStore(Protocol):
    """The settings of people, by bucket and key."""

    async def get(
        self, person: str, keys: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], Any]:
        """The stored values, by bucket and key."""
        ...

    async def put(self, person: str, bucket: str, key: str, value: Any) -> None:
        """Store a value."""
        ...

    async def drop(self, person: str, bucket: str, key: str) -> None:
        """Delete a value; a missing one is no error."""
        ...
