"""Techdocs' own settings, beside those of every service."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from shared.kit.config.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `CALLBOARD_…` and `CALLBOARD_TECHDOCS_…`.

    Time, memory and number of builds are in the configuration's section `techdocs`.
    """

    RENAMED: ClassVar[Mapping[str, str]] = {
        "CALLBOARD_TECHDOCS_LOOK_SECONDS": "CALLBOARD_TECHDOCS_RECHECK_SECONDS"
    }

    #: How often the table is compared with the catalog's checksum, in seconds.
    resync_seconds: float = Field(
        default=30.0, gt=0, validation_alias="CALLBOARD_TECHDOCS_RESYNC_SECONDS"
    )
    #: Seconds after which a source is checked that no event made due.
    recheck_seconds: float = Field(
        default=1800.0, gt=0, validation_alias="CALLBOARD_TECHDOCS_RECHECK_SECONDS"
    )
    #: How many earlier sites of an entity are retained, and for how many days.
    keep_last: int = Field(
        default=3, ge=0, validation_alias="CALLBOARD_TECHDOCS_KEEP_LAST"
    )
    keep_days: float = Field(
        default=7.0, ge=0, validation_alias="CALLBOARD_TECHDOCS_KEEP_DAYS"
    )

    @property
    def sites_folder(self) -> Path:
        """The folder of built sites."""
        return self.data / "sites"

    @property
    def mirrors_folder(self) -> Path:
        """The folder of this service's mirrors of repositories."""
        return self.data / "mirrors" / "techdocs"
