"""Search's settings, besides those of every service."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from shared.kit.config.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `CALLBOARD_…` and `CALLBOARD_SEARCH_…`."""

    RENAMED: ClassVar[Mapping[str, str]] = {
        "CALLBOARD_SEARCH_LOOK_SECONDS": "CALLBOARD_SEARCH_RESYNC_SECONDS"
    }

    #: The interval of comparing checksums with catalog and techdocs, in seconds.
    resync_seconds: float = Field(
        default=20.0, gt=0, validation_alias="CALLBOARD_SEARCH_RESYNC_SECONDS"
    )
    #: The most events in one commit of the index.
    batch: int = Field(
        default=500, ge=1, le=5000, validation_alias="CALLBOARD_SEARCH_BATCH"
    )
    #: How long a batch waits for a second event, in seconds.
    within: float = Field(
        default=0.02, gt=0, le=1, validation_alias="CALLBOARD_SEARCH_WITHIN"
    )

    #: The prefix of the names of all indices on OpenSearch.
    index_name: str = Field(
        default="callboard-search",
        pattern=r"^[a-z][a-z0-9_-]{0,80}$",
        validation_alias="CALLBOARD_SEARCH_INDEX",
    )

    @property
    def index_folder(self) -> Path:
        """The folder of the embedded index."""
        return self.data / "search"
