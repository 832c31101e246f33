"""The scaffolder's knobs, beside what every service is told."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.kit.config.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `CALLBOARD_…` and `CALLBOARD_SCAFFOLDER_…`.

    How many runs go on at once stands in the configuration's section `scaffolder`.
    """

    model_config = SettingsConfigDict(
        env_prefix="CALLBOARD_", extra="ignore", populate_by_name=True
    )

    #: How often a running task says that it is alive, in seconds.
    heartbeat_seconds: float = Field(
        default=1.0, gt=0, validation_alias="CALLBOARD_SCAFFOLDER_HEARTBEAT_SECONDS"
    )
    #: How often runs that nobody offered are looked for, in seconds.
    look_seconds: float = Field(
        default=2.0, gt=0, validation_alias="CALLBOARD_SCAFFOLDER_LOOK_SECONDS"
    )
    #: How long the folder of a failed run is kept for trying again, in hours.
    keep_hours: float = Field(
        default=72.0, ge=0, validation_alias="CALLBOARD_SCAFFOLDER_KEEP_HOURS"
    )

    @property
    def folder(self) -> Path:
        """What this service keeps on the disk."""
        return self.data / "scaffolder"

    @property
    def workspaces(self) -> Path:
        """The folders of runs."""
        return self.folder / "workspaces"

    @property
    def mirrors_folder(self) -> Path:
        """This service's mirrors of repositories."""
        return self.data / "mirrors" / "scaffolder"
