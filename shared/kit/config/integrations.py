"""Configuration sections that several services share: Git hosts and allowed reading."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ConfigDict, Field, SecretStr

from shared.kit.config import public_hosts
from shared.kit.config.rules import Host, HostPattern, WebAddress
from shared.kit.config.sections import Section


class ReadingAllow(Section):
    """One host that may be read over plain HTTP(S)."""

    host: HostPattern
    """`host[:port]`; `*.domain` stands for all hosts below the domain."""
    paths: list[str] = Field(default_factory=list)
    """The paths that may be read, with everything below them; default: all."""


class ReadingSection(Section):
    """What may be read besides the Git hosts of `integrations`."""

    allow: list[ReadingAllow] = Field(default_factory=list)
    """Hosts for plain HTTP(S)."""


class Backend(Section):
    """The address of the API, and what it may read."""

    base_url: WebAddress = None
    """The address of the API; default: the portal's address."""
    allowed_hosts: list[HostPattern] = Field(default_factory=list)
    """Further host names of the portal; `*.domain`: all hosts below the domain."""
    reading: ReadingSection = Field(default_factory=ReadingSection)
    """What may be read besides the Git hosts of `integrations`."""


class AzureCredential(Section):
    """A token for organisations of Azure DevOps; without names: for all others."""

    personal_access_token: SecretStr | None = None
    """The token."""
    organizations: list[str] = Field(default_factory=list)
    """The organisations that the token is for."""


class Integration(Section):
    """One Git host: its addresses and credentials."""

    # Code may put a plain one in the list of a kind of host that has a default address.
    model_config = ConfigDict(from_attributes=True)

    host: Host
    """The host's name, with its port if it is not the default one."""
    token: SecretStr | None = None
    """A token that reads repositories, and writes them where templates publish."""
    username: str | None = None
    """The user that the password belongs to."""
    password: SecretStr | None = None
    """The user's password."""
    app_password: SecretStr | None = None
    """An app password of Bitbucket Cloud."""
    credentials: list[AzureCredential] = Field(default_factory=list)
    """Tokens of Azure DevOps by organisation."""
    ca_file: Path | None = None
    """The certificate of the authority that signed the host's certificate."""
    api_base_url: WebAddress = None
    """The address of the host's API."""
    base_url: WebAddress = None
    """The address of the host's pages; default: `https://` and the host."""
    directory: Path | None = None
    """A folder of bare repositories (`local` only)."""
    hook_template: Path | None = None
    """The Git template folder for new repositories (`local` only)."""
    webhook_secret: SecretStr | None = None
    """The secret that signs the host's push webhooks; without it they are refused."""


class GithubIntegration(Integration):
    """GitHub; default: the public one."""

    host: Host = public_hosts.GITHUB


class GitlabIntegration(Integration):
    """GitLab; default: the public one."""

    host: Host = public_hosts.GITLAB


class BitbucketCloudIntegration(Integration):
    """Bitbucket Cloud has one host."""

    host: Host = public_hosts.BITBUCKET_CLOUD


class AzureIntegration(Integration):
    """Azure DevOps; default: the public one."""

    host: Host = public_hosts.AZURE


class Integrations(Section):
    """Git hosts by type."""

    github: list[GithubIntegration] = Field(default_factory=list)
    """GitHub and GitHub Enterprise."""
    gitlab: list[GitlabIntegration] = Field(default_factory=list)
    """GitLab."""
    gitea: list[Integration] = Field(default_factory=list)
    """Gitea and Forgejo."""
    bitbucket_cloud: list[BitbucketCloudIntegration] = Field(default_factory=list)
    """Bitbucket Cloud."""
    bitbucket_server: list[Integration] = Field(default_factory=list)
    """Bitbucket Server and Data Center."""
    azure: list[AzureIntegration] = Field(default_factory=list)
    """Azure DevOps."""
    local: list[Integration] = Field(default_factory=list)
    """Folders of bare repositories on this machine."""

    def each(self) -> Iterator[tuple[str, Integration]]:
        """Every integration with its type."""
        for name in type(self).model_fields:
            for integration in getattr(self, name):
                yield name, integration
