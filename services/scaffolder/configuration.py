"""The sections of the configuration that the scaffolder reads."""

from pydantic import Field

from services.scaffolder.model import JsonObject
from shared.kit.config.integrations import Backend, Integrations
from shared.kit.config.sections import Section


class ScaffolderSection(Section):
    """Limits and defaults of template runs."""

    concurrent_tasks_limit: int = Field(default=10, ge=0)
    """The number of runs that one process works on at the same time."""
    default_author: dict[str, str] = Field(default_factory=dict)
    """`name` and `email` of commits whose template names no author."""
    default_commit_message: str = "Initial commit"
    """The message of first commits."""
    default_environment: JsonObject = Field(default_factory=dict)
    """`parameters` and `secrets` that expressions read as `environment`."""


class ScaffolderConfig(Section):
    """The sections that the scaffolder reads."""

    scaffolder: ScaffolderSection = Field(default_factory=ScaffolderSection)
    integrations: Integrations = Field(default_factory=Integrations)
    backend: Backend = Field(default_factory=Backend)
