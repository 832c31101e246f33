"""The sections of the configuration that techdocs reads."""

from pydantic import Field

from shared.kit.config.integrations import Integrations
from shared.kit.config.sections import Section


class TechdocsSection(Section):
    """Limits of documentation builds."""

    build_seconds: int = Field(default=120, gt=0)
    """How long a build may take."""
    build_megabytes: int = Field(default=1024, gt=0)
    """How much memory a build may take."""
    concurrency: int = Field(default=2, gt=0)
    """The number of builds under way at the same time."""
    allow_plugins: list[str] = Field(default_factory=list)
    """Plugins of mkdocs beside the usual ones; only such as do no more than read pages
    may be allowed."""


class TechdocsConfig(Section):
    """The sections that techdocs reads."""

    techdocs: TechdocsSection = Field(default_factory=TechdocsSection)
    integrations: Integrations = Field(default_factory=Integrations)
