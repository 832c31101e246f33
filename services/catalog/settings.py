"""The catalog's settings, beside those of every service."""

from pathlib import Path

from pydantic import Field

from shared.kit.config.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `CALLBOARD_…` and `CALLBOARD_CATALOG_…`."""

    #: How often every source is read again, in seconds, in case events were lost.
    scan_seconds: float = Field(
        default=900.0, gt=0, validation_alias="CALLBOARD_CATALOG_SCAN_SECONDS"
    )
    #: How many roots are read at a time by a scan.
    scan_at_once: int = Field(
        default=4, gt=0, validation_alias="CALLBOARD_CATALOG_SCAN_AT_ONCE"
    )

    #: How often the read model is kept on disk for the next start, in seconds.
    snapshot_seconds: float = Field(
        default=600.0, gt=0, validation_alias="CALLBOARD_CATALOG_SNAPSHOT_SECONDS"
    )

    #: The consumer group that shares the work of pushes among processes.
    group: str = Field(default="catalog", validation_alias="CALLBOARD_CATALOG_GROUP")

    @property
    def mirrors_folder(self) -> Path:
        """Where this service keeps its mirrors of repositories."""
        return self.data / "mirrors" / "catalog"

    @property
    def snapshot_file(self) -> Path:
        """Where the read model is kept while this service is stopped."""
        return self.data / "catalog" / "read-model.snapshot"
