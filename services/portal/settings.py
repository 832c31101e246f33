"""What the portal is told by its environment: no engine, and no secret."""

from shared.kit.config.settings import ProcessSettings


class Settings(ProcessSettings):
    """Read from `CALLBOARD_…`."""
