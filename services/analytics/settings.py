"""Analytics' settings: what every service is told."""

from pathlib import Path

from shared.kit.config.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `CALLBOARD_…`."""

    @property
    def folder(self) -> Path:
        """Where the tables of an event log that forgets are kept."""
        return self.data / "analytics"
