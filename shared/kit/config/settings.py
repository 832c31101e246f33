"""What every service is told by its environment; each adds knobs of its own.

Addresses have no defaults on purpose: a service that was not told where its engines
are must say so at start, not talk to somebody else's.
"""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.kit.config.servers import Server


class ServiceSettings(BaseSettings):
    """Addresses and paths, read from `CALLBOARD_…`."""

    model_config = SettingsConfigDict(
        env_prefix="CALLBOARD_", extra="ignore", populate_by_name=True
    )

    kafka: str
    kafka_user: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca: Path | None = None
    kafka_tls: bool = False
    mongodb: str
    mongodb_user: str | None = None
    mongodb_password: SecretStr | None = None
    mongodb_ca: Path | None = None
    #: No address: the embedded form inside the service.
    opensearch: str | None = None
    opensearch_user: str | None = None
    opensearch_password: SecretStr | None = None
    opensearch_ca: Path | None = None
    #: No address: the embedded form inside the gateway.
    opa: str | None = None
    opa_token: SecretStr | None = None
    opa_ca: Path | None = None
    config: Path
    #: Variables of the configuration that this service is not given (`load_config`).
    withheld: str | None = None
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
    #: How many connections one client address may have. A reverse proxy is one client.
    connections_per_client: int = Field(default=1024, gt=0)
    log_level: str = "info"

    @property
    def event_log(self) -> Server:
        """Kafka."""
        password = _open(self.kafka_password)
        user, ca = self.kafka_user, self.kafka_ca
        return Server(self.kafka, user, password, ca, self.kafka_tls)

    @property
    def documents(self) -> Server:
        """The MongoDB server."""
        password = _open(self.mongodb_password)
        return Server(self.mongodb, self.mongodb_user, password, self.mongodb_ca)

    @property
    def index_server(self) -> Server | None:
        """OpenSearch; None: the index is embedded."""
        if self.opensearch is None:
            return None
        password = _open(self.opensearch_password)
        user, ca = self.opensearch_user, self.opensearch_ca
        return Server(self.opensearch, user, password, ca)

    @property
    def policy_server(self) -> Server | None:
        """OPA, its token as the password; None: the policy is embedded."""
        if self.opa is None:
            return None
        return Server(self.opa, None, _open(self.opa_token), self.opa_ca)

    def urls(self) -> dict[str, str]:
        """Where each service answers, by its name."""
        return {
            "gateway": self.gateway_url,
            "catalog": self.catalog_url,
            "scaffolder": self.scaffolder_url,
            "techdocs": self.techdocs_url,
            "search": self.search_url,
        }


def _open(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
