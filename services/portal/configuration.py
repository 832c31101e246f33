"""What the portal reads of the configuration: texts and switches, no secret."""

from typing import ClassVar

from pydantic import ConfigDict, Field

from shared.kit.config import public_hosts
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


class GitHost(Section):
    """The name of a Git host."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    host: str = ""
    """The host's name, with its port if it is not the default one."""


class GithubHost(GitHost):
    """GitHub; default: the public one."""

    host: str = public_hosts.GITHUB


class GitlabHost(GitHost):
    """GitLab; default: the public one."""

    host: str = public_hosts.GITLAB


class BitbucketCloudHost(GitHost):
    """Bitbucket Cloud has one host."""

    host: str = public_hosts.BITBUCKET_CLOUD


class AzureHost(GitHost):
    """Azure DevOps; default: the public one."""

    host: str = public_hosts.AZURE


class GitHosts(Section):
    """The Git hosts of the configuration, which forms offer for repositories."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    github: list[GithubHost] = Field(default_factory=list)
    """GitHub and GitHub Enterprise."""
    gitlab: list[GitlabHost] = Field(default_factory=list)
    """GitLab."""
    gitea: list[GitHost] = Field(default_factory=list)
    """Gitea and Forgejo."""
    bitbucket_cloud: list[BitbucketCloudHost] = Field(default_factory=list)
    """Bitbucket Cloud."""
    bitbucket_server: list[GitHost] = Field(default_factory=list)
    """Bitbucket Server and Data Center."""
    azure: list[AzureHost] = Field(default_factory=list)
    """Azure DevOps."""
    local: list[GitHost] = Field(default_factory=list)
    """Folders of bare repositories on the portal's machine."""

    def types(self) -> dict[str, str]:
        """The type of each host by its name."""
        return {
            git_host.host: field.alias or name
            for name, field in type(self).model_fields.items()
            for git_host in getattr(self, name)
            if git_host.host
        }


class PagesConfig(Section):
    """The sections that the portal reads."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    organization: Organization = Field(default_factory=Organization)
    auth: SignInSwitches = Field(default_factory=SignInSwitches)
    permission: PermissionSwitches = Field(default_factory=PermissionSwitches)
    catalog: CatalogSwitches = Field(default_factory=CatalogSwitches)
    integrations: GitHosts = Field(default_factory=GitHosts)
