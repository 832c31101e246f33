"""The sections of the configuration that the catalog reads."""

from typing import Literal

from pydantic import Field

from services.catalog.location_types import LOCATION_TYPES
from shared.kit.config.integrations import Backend, Integrations
from shared.kit.config.rules import SharedAddress
from shared.kit.config.sections import Section


class KindRule(Section):
    """A kind, and one `spec.type` of it if given."""

    kind: str
    """The kind, such as `Component`."""
    spec_type: str | None = Field(default=None, alias="spec.type")
    """Only entities of this type."""


class CatalogRuleSection(Section):
    """Which kinds may come from where; no `locations`: from everywhere."""

    allow: list[str | KindRule]
    """The kinds."""
    locations: list[dict[str, str]] | None = None
    """Where they may come from: `type`, and `exact` or `pattern`."""


class ConfiguredLocation(Section):
    """A location that the configuration registers."""

    type: str
    """`url`, or `file` for a path from the configuration's folder; locations of other
    types are ignored."""
    target: SharedAddress
    """The address or path; wildcards are allowed."""
    rules: list[CatalogRuleSection] = Field(default_factory=list)
    """Kinds that may come from here, beside those of `catalog.rules`."""

    @property
    def is_read(self) -> bool:
        """Whether the catalog reads locations of this type."""
        return self.type in LOCATION_TYPES


class GitProvider(Section):
    """Finds the descriptor of every repository of a host.

    Hosts of type `local` are listed. A repository of another host is found by its next
    push, if the host sends pushes here.
    """

    host: str
    """The host of an integration."""
    branch: str = ""
    """The branch that is read; without it the default branch of each repository."""
    catalog_path: str = "/catalog-info.yaml"
    """The descriptor's path; wildcards are allowed."""


class Providers(Section):
    """Discovery, by the kind of source."""

    git: dict[str, GitProvider] = Field(default_factory=dict)
    """Git hosts, each by a name of your choice."""


class CatalogSection(Section):
    """What the catalog is filled from."""

    locations: list[ConfiguredLocation] = Field(default_factory=list)
    """Locations that are read at start and kept up to date."""
    rules: list[CatalogRuleSection] | None = None
    """Which kinds may come from where; Backstage's default without it."""
    kinds: list[str] = Field(default_factory=list)
    """Files of your own kinds, or folders of such files, from the configuration's
    folder. `rules` must allow them."""
    providers: Providers = Field(default_factory=Providers)
    """Discovery of repositories."""
    readonly: bool = False
    """Whether nobody may register, change or delete anything by the API."""
    file_locations: bool = False
    """Whether users may register `file:` locations: for loads and laptops only."""
    default_location_conflict_strategy: Literal["reject", "refresh"] = "reject"
    """What registering an address again does."""


class CatalogConfig(Section):
    """The sections that the catalog reads."""

    catalog: CatalogSection = Field(default_factory=CatalogSection)
    integrations: Integrations = Field(default_factory=Integrations)
    backend: Backend = Field(default_factory=Backend)
