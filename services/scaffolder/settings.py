"""The scaffolder's own settings, beside those of every service."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from shared.kit.config.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `CALLBOARD_…` and `CALLBOARD_SCAFFOLDER_…`.

    The number of concurrent runs is in the configuration's section `scaffolder`.
    """

    RENAMED: ClassVar[Mapping[str, str]] = {
        "CALLBOARD_SCAFFOLDER_LOOK_SECONDS": "CALLBOARD_SCAFFOLDER_POLL_SECONDS"
    }

    #: Seconds between two heartbeats of a running task.
    heartbeat_seconds: float = Field(
        default=1.0, gt=0, validation_alias="CALLBOARD_SCAFFOLDER_HEARTBEAT_SECONDS"
    )
    #: Seconds between two polls of the store for unclaimed runs.
    poll_seconds: float = Field(
        default=2.0, gt=0, validation_alias="CALLBOARD_SCAFFOLDER_POLL_SECONDS"
    )
    #: Hours for which a failed run's folder is retained, so that it can be retried.
    keep_hours: float = Field(
        default=72.0, ge=0, validation_alias="CALLBOARD_SCAFFOLDER_KEEP_HOURS"
    )

    @property
    def folder(self) -> Path:
        """This service's folder on the disk."""
        return self.data / "scaffolder"

    @property
    def workspaces(self) -> Path:
        """The folders of runs."""
        return self.folder / "workspaces"

    @property
    def mirrors_folder(self) -> Path:
        """This service's mirrors of repositories."""
        return self.data / "mirrors" / "scaffolder"
