"""Git hosts, and what else may be read: sections that several services share."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, SecretStr

from shared.kit.config.sections import Section


class ReadingAllow(Section):
    """One host that may be read over plain HTTP(S)."""

    host: str
    """`host[:port]`; `*.` in front stands for all names below."""
    paths: list[str] = Field(default_factory=list)
    """Paths that may be read, by their beginnings; all without it."""


class ReadingSection(Section):
    """What may be read besides the integrations."""

    allow: list[ReadingAllow] = Field(default_factory=list)
    """Hosts for plain HTTP(S)."""


class Backend(Section):
    """Where the API is, and what it may read."""

    base_url: str | None = None
    """The address of the API; the portal's own without it."""
    allowed_hosts: list[str] = Field(default_factory=list)
    """Further names that the portal is called by; `*.` in front: all below."""
    reading: ReadingSection = Field(default_factory=ReadingSection)
    """What may be read besides the integrations."""


class AzureCredential(Section):
    """A token for some organisations of Azure DevOps; without names: for the others."""

    personal_access_token: SecretStr | None = None
    """The token."""
    organizations: list[str] = Field(default_factory=list)
    """The organisations that it is for."""


class Integration(Section):
    """One Git host and how it is reached."""

    host: str
    """The host's name, with its port if it has another than the usual one."""
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
    """The certificate of the authority that signed the host's own."""
    api_base_url: str | None = None
    """The address of the host's API."""
    base_url: str | None = None
    """The address of the host's pages, where it is not `https://` and the host."""
    directory: Path | None = None
    """A folder of bare repositories (`local` only)."""
    hook_template: Path | None = None
    """The Git template folder for new repositories (`local` only)."""
    webhook_secret: SecretStr | None = None
    """Signs the host's push webhooks; without one they are refused."""


class GithubIntegration(Integration):
    """GitHub: the public one, unless a host is named."""

    host: str = "github.com"


class GitlabIntegration(Integration):
    """GitLab: the public one, unless a host is named."""

    host: str = "gitlab.com"


class BitbucketCloudIntegration(Integration):
    """Bitbucket Cloud has one host."""

    host: str = "bitbucket.org"


class AzureIntegration(Integration):
    """Azure DevOps: the public one, unless a host is named."""

    host: str = "dev.azure.com"


class Integrations(Section):
    """Git hosts by what they are."""

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
