"""What every service is told by its environment; each adds knobs of its own.

Addresses have no defaults on purpose: a service that was not told where its engines
are must say so at start, not talk to somebody else's.
"""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Addresses and paths, read from `CALLBOARD_…`."""

    model_config = SettingsConfigDict(
        env_prefix="CALLBOARD_", extra="ignore", populate_by_name=True
    )

    kafka: str
    mongodb: str
    #: No address: the embedded form inside the service.
    opensearch: str | None = None
    opa: str | None = None
    config: Path
    data: Path
    #: Signs what the services say to each other.
    service_secret: SecretStr = Field(min_length=32)
    gateway_url: str
    catalog_url: str
    scaffolder_url: str
    techdocs_url: str
    search_url: str
    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    log_level: str = "info"

    def urls(self) -> dict[str, str]:
        """Where each service answers, by its name."""
        return {
            "gateway": self.gateway_url,
            "catalog": self.catalog_url,
            "scaffolder": self.scaffolder_url,
            "techdocs": self.techdocs_url,
            "search": self.search_url,
        }
