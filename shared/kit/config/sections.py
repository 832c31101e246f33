"""The installation's configuration: one YAML file with Backstage's section names.

An `app-config.yaml` can be given as it is: `${NAME}` (and `${NAME:-default}`) comes
from the environment, `$${` stays `${`, keys that mean nothing here become `warnings`.
A missing variable or an unknown value is an error that names the key.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.alias_generators import to_camel

from shared.contracts.errors import Invalid
from shared.guards.yaml_text import load_yaml

#: The variable that lists, with commas, others that this process is not given because
#: it does not need them. They count as empty.
WITHHELD = "CALLBOARD_WITHHELD"
VARIABLE = re.compile(r"\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class _Section(BaseModel):
    """Sections keep what they do not know: it becomes a warning, not an error."""

    model_config = ConfigDict(
        extra="allow", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class Organization(_Section):
    """Whose portal this is."""

    name: str = "My Company"


class AppSection(_Section):
    """Backstage's web app: only its address means something here."""

    base_url: str | None = None


class ReadingAllow(_Section):
    """One host that may be read over plain HTTP(S): `host[:port]`, `*.` in front."""

    host: str
    paths: list[str] = Field(default_factory=list)


class ReadingSection(_Section):
    """What may be read besides the integrations."""

    allow: list[ReadingAllow] = Field(default_factory=list)


class Backend(_Section):
    """Where the API is, and what it may read."""

    base_url: str | None = None
    #: Further names that the portal is called by; `*.` in front: all below.
    allowed_hosts: list[str] = Field(default_factory=list)
    reading: ReadingSection = Field(default_factory=ReadingSection)


class KindRule(_Section):
    """A kind, and one `spec.type` of it if given."""

    kind: str
    spec_type: str | None = Field(default=None, alias="spec.type")


class CatalogRuleSection(_Section):
    """Which kinds may come from where; no `locations`: from everywhere."""

    allow: list[str | KindRule]
    locations: list[dict[str, str]] | None = None


class ConfiguredLocation(_Section):
    """A location that this configuration registers."""

    type: Literal["url", "file"]
    target: str
    rules: list[CatalogRuleSection] = Field(default_factory=list)


class GitProvider(_Section):
    """Finds the descriptor of every repository of a host."""

    host: str
    branch: str = "main"
    catalog_path: str = "/catalog-info.yaml"


class Providers(_Section):
    """Discovery, by the kind of source."""

    git: dict[str, GitProvider] = Field(default_factory=dict)


class CatalogSection(_Section):
    """What the catalog is filled from."""

    locations: list[ConfiguredLocation] = Field(default_factory=list)
    rules: list[CatalogRuleSection] | None = None
    providers: Providers = Field(default_factory=Providers)
    readonly: bool = False
    #: Whether users may register `file:` locations: for loads and laptops only.
    file_locations: bool = False
    default_location_conflict_strategy: Literal["reject", "refresh"] = "reject"


class AzureCredential(_Section):
    """A token for some organisations of Azure DevOps; without names: for the others."""

    personal_access_token: SecretStr | None = None
    organizations: list[str] = Field(default_factory=list)


class Integration(_Section):
    """One Git host and how it is spoken to.

    `directory` (type `local` only) is a folder of bare repositories, `hook_template`
    the Git template folder for new ones; `webhook_secret` signs its push webhooks;
    `ca_file` is the certificate of the authority that signed the host's own.
    """

    host: str
    token: SecretStr | None = None
    password: SecretStr | None = None
    app_password: SecretStr | None = None
    credentials: list[AzureCredential] = Field(default_factory=list)
    ca_file: Path | None = None
    api_base_url: str | None = None
    base_url: str | None = None
    directory: Path | None = None
    hook_template: Path | None = None
    webhook_secret: SecretStr | None = None
    username: str | None = None


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


class Integrations(_Section):
    """Git hosts by what they are."""

    github: list[GithubIntegration] = Field(default_factory=list)
    gitlab: list[GitlabIntegration] = Field(default_factory=list)
    gitea: list[Integration] = Field(default_factory=list)
    bitbucket_cloud: list[BitbucketCloudIntegration] = Field(default_factory=list)
    bitbucket_server: list[Integration] = Field(default_factory=list)
    azure: list[AzureIntegration] = Field(default_factory=list)
    local: list[Integration] = Field(default_factory=list)

    def each(self) -> Iterator[tuple[str, Integration]]:
        """Every integration with its type."""
        for name in type(self).model_fields:
            for integration in getattr(self, name):
                yield name, integration


class GuestProvider(_Section):
    """Sign-in without a name; `userEntityRef` is who a guest is."""

    user_entity_ref: str = "user:development/guest"
    dangerously_allow_outside_development: bool = False


class AuthProviders(_Section):
    """Ways to sign in."""

    guest: GuestProvider | None = None


class StaticToken(_Section):
    """A token for a program: who it is, and the token itself."""

    subject: str
    token: SecretStr


class Auth(_Section):
    """Who may sign in, and how."""

    environment: str = "production"
    providers: AuthProviders = Field(default_factory=AuthProviders)
    #: Sign-in as any user of the catalog without a password: development only.
    development_sign_in: bool = False
    #: Whether members of a group own what the groups above it own.
    parent_groups: bool = True
    static_tokens: list[StaticToken] = Field(default_factory=list)


class PermissionSection(_Section):
    """Whether the policy is asked, and who the platform team is."""

    enabled: bool = False
    platform_team: list[str] = Field(default_factory=list)


class Techdocs(_Section):
    """Limits of documentation builds.

    `allow_plugins` names plugins of mkdocs beside the usual ones; only those count that
    techdocs knows to read the pages and nothing else (`mkdocs_rules.SAFE_PLUGINS`).
    """

    build_seconds: int = Field(default=120, gt=0)
    build_megabytes: int = Field(default=1024, gt=0)
    concurrency: int = Field(default=2, gt=0)
    allow_plugins: list[str] = Field(default_factory=list)


class Scaffolder(_Section):
    """Limits and defaults of template runs."""

    concurrent_tasks_limit: int = Field(default=10, ge=0)
    default_author: dict[str, str] = Field(default_factory=dict)
    default_commit_message: str = "Initial commit"
    default_environment: dict[str, Any] = Field(default_factory=dict)


class PortalConfig(_Section):
    """The whole file."""

    SILENT: ClassVar[frozenset[str]] = frozenset({"app"})

    app: AppSection = Field(default_factory=AppSection)
    organization: Organization = Field(default_factory=Organization)
    backend: Backend = Field(default_factory=Backend)
    catalog: CatalogSection = Field(default_factory=CatalogSection)
    integrations: Integrations = Field(default_factory=Integrations)
    auth: Auth = Field(default_factory=Auth)
    permission: PermissionSection = Field(default_factory=PermissionSection)
    techdocs: Techdocs = Field(default_factory=Techdocs)
    scaffolder: Scaffolder = Field(default_factory=Scaffolder)

    @property
    def warnings(self) -> list[str]:
        """The dotted keys that were given and mean nothing here."""
        unknown = _unknown(self, "")
        return [key for key in unknown if key.partition(".")[0] not in self.SILENT]


def load_config(path: Path, environ: Mapping[str, str]) -> PortalConfig:
    """The configuration in `path`, its `${NAME}` taken from `environ`.

    Raises:
        Invalid: naming the file or the key, and the rule.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path}: cannot be read: {error.strerror}") from error
    # Operators know `on` and `yes`, and merge sections by `<<`.
    raw = load_yaml(body, label=str(path), old=True)
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise Invalid(f"{path}: must hold an object with sections")
    filled = _without_nulls(_fill(raw, environ, ""))
    try:
        return PortalConfig.model_validate(filled)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"{path}: {where}: {first['msg']}") from error


def _fill(value: Any, environ: Mapping[str, str], where: str) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _fill(item, environ, f"{where}.{key}" if where else str(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_fill(item, environ, f"{where}.{n}") for n, item in enumerate(value)]
    return _fill_text(value, environ, where) if isinstance(value, str) else value


def _fill_text(text: str, environ: Mapping[str, str], where: str) -> str:
    def replace(match: re.Match[str]) -> str:
        escaped, name, default = match.groups()
        if escaped:
            return match[0][1:]
        found: str | None = environ.get(name, default)
        if found is None and name in environ.get(WITHHELD, "").split(","):
            return ""
        if found is None:
            raise Invalid(f"{where}: the environment has no variable {name}")
        return found

    return VARIABLE.sub(replace, text)


def _without_nulls(value: Any) -> Any:
    # `guest:` with nothing after it means "with its defaults", as in Backstage.
    if isinstance(value, dict):
        providers = value.get("providers")
        if isinstance(providers, dict) and "guest" in providers:
            value = {**value, "providers": {**providers}}
            value["providers"]["guest"] = providers["guest"] or {}
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return value


def _unknown(model: BaseModel, where: str) -> Iterator[str]:
    for key in model.model_extra or {}:
        yield f"{where}{key}"
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        shown = field.alias or to_camel(name)
        values = value if isinstance(value, list) else [value]
        for item in values:
            if isinstance(item, BaseModel):
                yield from _unknown(item, f"{where}{shown}.")
