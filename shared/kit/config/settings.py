"""The environment variables that every service reads; each service adds its own.

Addresses have no defaults on purpose: a service without an address must fail at its
start instead of using another installation's engine.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.kit.config.servers import Server


class ProcessSettings(BaseSettings):
    """Where a process listens and what it reads, from `CALLBOARD_…`."""

    model_config = SettingsConfigDict(
        env_prefix="CALLBOARD_", extra="ignore", populate_by_name=True
    )

    #: Former names of variables, each with the name that it has now.
    RENAMED: ClassVar[Mapping[str, str]] = {}

    config: Path
    data: Path
    gateway_url: str
    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    #: How many connections one client address may have. A reverse proxy is one client.
    connections_per_client: int = Field(default=1024, gt=0)
    log_level: str = "info"

    @model_validator(mode="before")
    @classmethod
    def _refuse_former_names(cls, values: Any) -> Any:
        # A variable that nobody reads would leave its setting at the default, unseen.
        for former_name, name in cls.RENAMED.items():
            if former_name in os.environ:
                raise ValueError(f"{former_name} is called {name} now")
        return values


class ServiceSettings(ProcessSettings):
    """Of a service that has engines, and speaks to the others."""

    kafka: str
    kafka_user: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca: Path | None = None
    kafka_tls: bool = False
    mongodb: str
    mongodb_user: str | None = None
    mongodb_password: SecretStr | None = None
    mongodb_ca: Path | None = None
    #: Without an address the index is embedded in the service.
    opensearch: str | None = None
    opensearch_user: str | None = None
    opensearch_password: SecretStr | None = None
    opensearch_ca: Path | None = None
    #: Without an address the policy engine is embedded in the gateway.
    opa: str | None = None
    opa_token: SecretStr | None = None
    opa_ca: Path | None = None
    #: Variables of the configuration that this service does not get (`load_config`).
    withheld: str | None = None
    #: Signs the tokens between services.
    service_secret: SecretStr = Field(min_length=32)
    catalog_url: str
    scaffolder_url: str
    techdocs_url: str
    search_url: str
    analytics_url: str

    @property
    def event_log(self) -> Server:
        """The Kafka server."""
        password = _reveal(self.kafka_password)
        user, ca = self.kafka_user, self.kafka_ca
        return Server(self.kafka, user, password, ca, self.kafka_tls)

    @property
    def documents(self) -> Server:
        """The MongoDB server."""
        password = _reveal(self.mongodb_password)
        return Server(self.mongodb, self.mongodb_user, password, self.mongodb_ca)

    @property
    def index_server(self) -> Server | None:
        """The OpenSearch server; None if the index is embedded."""
        if self.opensearch is None:
            return None
        password = _reveal(self.opensearch_password)
        user, ca = self.opensearch_user, self.opensearch_ca
        return Server(self.opensearch, user, password, ca)

    @property
    def policy_server(self) -> Server | None:
        """The OPA server, with its token as password; None if OPA is embedded."""
        if self.opa is None:
            return None
        return Server(self.opa, None, _reveal(self.opa_token), self.opa_ca)

    def urls(self) -> dict[str, str]:
        """The address of each service by its name."""
        return {
            "gateway": self.gateway_url,
            "catalog": self.catalog_url,
            "scaffolder": self.scaffolder_url,
            "techdocs": self.techdocs_url,
            "search": self.search_url,
            "analytics": self.analytics_url,
        }


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
