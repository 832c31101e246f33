"""The sections of the configuration that the gateway reads."""

from typing import ClassVar

from pydantic import ConfigDict, Field

from shared.kit.config.integrations import Backend, Integrations
from shared.kit.config.rules import OwnerRef, Token, UserRef, WebAddress
from shared.kit.config.sections import Section


class AppSection(Section):
    """Backstage's web app; only its address is used."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    base_url: WebAddress = None
    """The address of the portal."""


class GuestProvider(Section):
    """Sign-in as a guest."""

    user_entity_ref: UserRef = "user:development/guest"
    """The user entity of guests."""
    dangerously_allow_outside_development: bool = False
    """Whether guests may sign in where `auth.environment` is not `development`."""


class AuthProviders(Section):
    """Sign-in providers."""

    guest: GuestProvider | None = None
    """Sign-in as a guest; without it there is none."""


class StaticToken(Section):
    """A token for a program."""

    subject: str
    """The program's name."""
    token: Token
    """The token itself, of at least 8 characters without white space."""


class Auth(Section):
    """Sign-in, ownership and tokens."""

    environment: str = "production"
    """`development` allows sign-in without a password."""
    providers: AuthProviders = Field(default_factory=AuthProviders)
    """Sign-in providers."""
    development_sign_in: bool = False
    """Whether one signs in as any user of the catalog without a password."""
    parent_groups: bool = True
    """Whether members of a group own what the groups above it own."""
    static_tokens: list[StaticToken] = Field(default_factory=list)
    """Tokens for programs."""


class PermissionSection(Section):
    """The access policy."""

    enabled: bool = False
    """Whether the policy is applied; without it everybody may do everything."""
    platform_team: list[OwnerRef] = Field(default_factory=list)
    """Refs of users and groups that may do everything."""


class GatewayConfig(Section):
    """The sections that the gateway reads."""

    app: AppSection = Field(default_factory=AppSection)
    backend: Backend = Field(default_factory=Backend)
    auth: Auth = Field(default_factory=Auth)
    permission: PermissionSection = Field(default_factory=PermissionSection)
    integrations: Integrations = Field(default_factory=Integrations)
