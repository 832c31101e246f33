"""Assembles the gateway's rooms from the settings and the configuration.

Nothing here opens a connection.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.gateway.catalog import CatalogClient
from services.gateway.configuration import GatewayConfig
from services.gateway.forward.admission import RequestAdmission
from services.gateway.forward.api import Forwarder
from services.gateway.forward.attempts import Attempts
from services.gateway.forward.hosts import OwnHosts
from services.gateway.forward.pages import FRONT_END, PageForwarder
from services.gateway.forward.services import ServiceConnections, ServiceQuestions
from services.gateway.forward.upstreams import Upstream
from services.gateway.identity.credentials import Credentials
from services.gateway.identity.handlers import SignIn
from services.gateway.identity.keys import KeyRing
from services.gateway.identity.memberships import CatalogMemberships
from services.gateway.identity.readers import ReaderTokens
from services.gateway.identity.sessions import SESSION_SECONDS, BrowserSessions
from services.gateway.identity.store import MongoEndedSessions
from services.gateway.identity.tokens import UserTokens
from services.gateway.model import Identity, SignInRules
from services.gateway.open_requests import OpenRequests
from services.gateway.policy.guard import PolicyGuard
from services.gateway.policy.question import Questions
from services.gateway.policy.rego import RegoPolicy
from services.gateway.policy.routes import RouteTable
from services.gateway.ports import Policy
from services.gateway.settings import Settings
from services.gateway.stream.hub import LiveHub
from services.gateway.webhooks.signatures import HookSecret, Provider
from shared.contracts.errors import Invalid, Unauthenticated
from shared.contracts.ref import parse_ref
from shared.kit.documents.mongo import Database
from shared.kit.http import conditions
from shared.kit.http.service_tokens import PrincipalTokens

PLUGINS = ("catalog", "scaffolder", "techdocs", "search", "analytics")
#: A page waits for services, each of which may take its own time.
PAGE_SECONDS = 90.0
#: The webhook format of each type of integration. A local host sends Gitea's.
HOOKS: Mapping[str, Provider] = {
    "github": "github",
    "gitlab": "gitlab",
    "gitea": "gitea",
    "local": "gitea",
    "bitbucket_cloud": "bitbucket",
    "bitbucket_server": "bitbucket",
}


@dataclass(frozen=True, slots=True)
class IdentityDependencies:
    """The objects that identify the sender of a request."""

    keys: KeyRing
    memberships: CatalogMemberships
    credentials: Credentials
    sessions: BrowserSessions
    readers: ReaderTokens
    sign_in: SignIn
    ended_sessions: MongoEndedSessions


@dataclass(frozen=True, slots=True)
class GatewayDependencies:
    """Everything the gateway's routes need."""

    base_url: str
    connections: ServiceConnections
    services: ServiceQuestions
    catalog: CatalogClient
    identity: IdentityDependencies
    policy: Policy
    guard: PolicyGuard
    hub: LiveHub
    forwarder: Forwarder
    pages: PageForwarder
    open_requests: OpenRequests
    attempts: Attempts

    @property
    def secure(self) -> bool:
        """Whether cookies are for HTTPS only."""
        return self.base_url.startswith("https://")


def build(
    settings: Settings,
    config: GatewayConfig,
    database: Database,
    *,
    policy: Policy | None = None,
) -> GatewayDependencies:
    """Create all objects; `policy` replaces the embedded policy.

    Raises:
        Invalid: if the configuration contradicts itself, naming the key.
    """
    base_url = (config.backend.base_url or settings.gateway_url).rstrip("/")
    tokens = PrincipalTokens(settings.service_secret.get_secret_value())
    policy = policy or _policy(settings, config)
    # A server's policy may be replaced at any time, the embedded one with the process.
    seconds = settings.decision_seconds if settings.opa else math.inf
    guard = PolicyGuard(policy, seconds=seconds)
    admission = RequestAdmission(guard, RouteTable(), tokens)
    connections = ServiceConnections(upstreams(settings))
    services = ServiceQuestions(connections, admission, tokens)
    catalog = CatalogClient(services, _visitor(sign_in_rules(config)))
    identity = _identity(settings, config, catalog, database, base_url)
    life = settings.stream_seconds
    hub = LiveHub(guard, identity.memberships, conditions.matches, life_seconds=life)
    failed_attempts = attempts(settings)
    open_requests = OpenRequests(settings.requests_per_user, failed_attempts.client)
    return GatewayDependencies(
        base_url=base_url,
        connections=connections,
        services=services,
        catalog=catalog,
        identity=identity,
        policy=policy,
        guard=guard,
        hub=hub,
        forwarder=Forwarder(
            connections,
            PLUGINS,
            authenticator=identity.credentials,
            admission=admission,
            open_requests=open_requests,
        ),
        pages=_pages(connections, identity, hub, open_requests),
        open_requests=open_requests,
        attempts=failed_attempts,
    )


def _pages(
    connections: ServiceConnections,
    identity: IdentityDependencies,
    hub: LiveHub,
    open_requests: OpenRequests,
) -> PageForwarder:
    return PageForwarder(
        connections[FRONT_END],
        authenticator=identity.credentials,
        readers=identity.readers,
        position=hub.position,
        open_requests=open_requests,
    )


def upstreams(settings: Settings) -> dict[str, Upstream]:
    """The servers behind the gateway: the services, and the front end."""
    urls = settings.urls()
    services = {name: Upstream(name, urls[name]) for name in PLUGINS}
    front_end = Upstream(
        FRONT_END, settings.portal_url, prefix="", patience=PAGE_SECONDS
    )
    return {**services, FRONT_END: front_end}


def _visitor(rules: SignInRules) -> Identity:
    """The identity of a reader who is not signed in; a guest's, also without guests."""
    ref = rules.guest_ref or "user:default/guest"
    return Identity(ref, "guest", (ref,))


def _policy(settings: Settings, config: GatewayConfig) -> Policy:
    questions = Questions(
        enabled=config.permission.enabled,
        platform_team=config.permission.platform_team,
    )
    if server := settings.policy_server:
        # Its client is 5 MB that the embedded form has no use for.
        from services.gateway.policy.opa import OpaPolicy  # noqa: PLC0415

        return OpaPolicy(server, questions, seconds=settings.policy_seconds)
    return RegoPolicy(settings.policies, questions)


def _identity(
    settings: Settings,
    config: GatewayConfig,
    catalog: CatalogClient,
    database: Database,
    base_url: str,
) -> IdentityDependencies:
    rules = sign_in_rules(config)
    service_tokens = PrincipalTokens(settings.service_secret.get_secret_value())
    memberships = CatalogMemberships(
        catalog,
        cache_seconds=settings.membership_seconds,
        parent_groups=config.auth.parent_groups,
    )
    keys = KeyRing(settings.data / "keys", keep_seconds=SESSION_SECONDS)
    tokens = UserTokens(keys, f"{base_url}/api/auth")
    ended_sessions = MongoEndedSessions(database["ended_sessions"])
    credentials = Credentials(
        tokens,
        memberships,
        static_tokens=static_tokens(settings, config),
        verify_service=_verifier(service_tokens),
        guest_ref=rules.guest_ref,
        ended=ended_sessions.ended,
        operators=rules.token,
    )
    sessions = BrowserSessions(
        tokens,
        memberships,
        authenticator=credentials,
        operator=credentials.operator,
        resources=catalog,
        ended=ended_sessions,
        rules=rules,
    )
    sign_in = SignIn(tokens, memberships, sessions, rules)
    return IdentityDependencies(
        keys,
        memberships,
        credentials,
        sessions,
        ReaderTokens(tokens),
        sign_in,
        ended_sessions,
    )


def sign_in_rules(config: GatewayConfig) -> SignInRules:
    """Who may sign in without a password.

    Raises:
        Invalid: if the configuration allows it outside development by accident.
    """
    auth = config.auth
    is_development = auth.environment == "development"
    if auth.development_sign_in and not is_development:
        raise Invalid("auth.developmentSignIn: needs auth.environment: development")
    guest = auth.providers.guest
    if guest is None:
        return SignInRules(None, auth.development_sign_in, token=is_development)
    if not is_development and not guest.dangerously_allow_outside_development:
        raise Invalid(
            "auth.providers.guest: needs auth.environment: development, or "
            "dangerouslyAllowOutsideDevelopment: true"
        )
    ref = str(parse_ref(guest.user_entity_ref, default_kind="user"))
    return SignInRules(ref, auth.development_sign_in, token=is_development)


def static_tokens(settings: Settings, config: GatewayConfig) -> dict[str, str]:
    """Each static token with the name of the program that uses it."""
    names_by_token = {
        item.token.get_secret_value(): item.subject
        for item in config.auth.static_tokens
    }
    file = settings.data / "token"
    if file.is_file():
        names_by_token[file.read_text().strip()] = "operator"
    return {token: name for token, name in names_by_token.items() if token}


def hook_secrets(config: GatewayConfig) -> list[HookSecret]:
    """The webhook secrets of all integrations that have one."""
    return [
        HookSecret(
            HOOKS[kind], integration.host, integration.webhook_secret.get_secret_value()
        )
        for kind, integration in config.integrations.each()
        if kind in HOOKS
        and integration.webhook_secret is not None
        and integration.webhook_secret.get_secret_value()
    ]


def own_hosts(
    dependencies: GatewayDependencies, settings: Settings, config: GatewayConfig
) -> OwnHosts:
    """The host names under which this portal is reached."""
    addresses = [
        *(url.strip() for url in settings.gateway_url.split(",")),
        *filter(None, (config.backend.base_url, config.app.base_url)),
    ]
    return OwnHosts(dependencies.base_url, addresses, config.backend.allowed_hosts)


def attempts(settings: Settings) -> Attempts:
    """Counts failed authentications by the client's address behind trusted proxies.

    Raises:
        Invalid: if a trusted proxy is no address and no network.
    """
    proxies = [text.strip() for text in (settings.trusted_proxies or "").split(",")]
    try:
        return Attempts([text for text in proxies if text])
    except ValueError as error:
        raise Invalid(f"CALLBOARD_GATEWAY_TRUSTED_PROXIES: {error}") from error


def _verifier(tokens: PrincipalTokens) -> Any:
    def verify(token: str) -> str:
        principal = tokens.verify(token)
        if not principal.is_service:
            # A principal that the gateway made for a person must not come back as one.
            raise Unauthenticated("Not a service's token")
        return principal.subject.removeprefix("service:")

    return verify
