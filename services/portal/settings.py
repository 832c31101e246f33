"""What the portal reads of its environment: no engine, and no secret."""

from shared.kit.config.settings import ProcessSettings


class Settings(ProcessSettings):
    """Read from `CALLBOARD_…`."""
