"""What the portal reads of the configuration: texts and switches, no secret."""

from typing import ClassVar

from pydantic import ConfigDict, Field

from shared.kit.config.sections import Section


class Organization(Section):
    """The organisation that the portal is for."""

    name: str = "My Company"
    """Its name, as pages show it."""


class SignInSwitches(Section):
    """What pages say about signing in."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    development_sign_in: bool = False
    """Whether one signs in as any user of the catalog without a password."""


class PermissionSwitches(Section):
    """What pages say about permissions."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    enabled: bool = False
    """Whether the policy is asked; without it everybody may do everything."""


class CatalogSwitches(Section):
    """What pages say about registering."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    file_locations: bool = False
    """Whether users may register `file:` locations."""


class PagesConfig(Section):
    """The sections that the portal reads."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    organization: Organization = Field(default_factory=Organization)
    auth: SignInSwitches = Field(default_factory=SignInSwitches)
    permission: PermissionSwitches = Field(default_factory=PermissionSwitches)
    catalog: CatalogSwitches = Field(default_factory=CatalogSwitches)
