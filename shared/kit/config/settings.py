"""The environment variables that every service reads; each service adds its own.

Addresses have no defaults on purpose: a service without an address must fail at its
start instead of using another installation's engine.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.kit.config.rules import ServiceAddresses
from shared.kit.config.sections import message_of
from shared.kit.config.servers import Server

PREFIX = "CALLBOARD_"


class EnvironmentSettings(BaseSettings):
    """Settings of the variables `CALLBOARD_…`; no error shows a value of one."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", hide_input_in_errors=True
    )


Settings = TypeVar("Settings", bound=EnvironmentSettings)


def read_settings(model: type[Settings]) -> Settings:
    """The settings of this process.

    Raises:
        SystemExit: with each variable that breaks a rule, and the rule.
    """
    try:
        return model()
    except ValidationError as error:
        problems = error.errors(include_input=False, include_context=False)
    raise SystemExit("\n".join(map(_sentence, problems)))


def _sentence(problem: Mapping[str, Any]) -> str:
    """The variable and its rule; a rule of several names them itself."""
    message = message_of(problem)
    if not problem["loc"]:
        return message
    name = str(problem["loc"][0])
    if not name.startswith(PREFIX):
        name = f"{PREFIX}{name.upper()}"
    rule = "must be set" if problem["type"] == "missing" else message
    return f"{name}: {rule}"


class ProcessSettings(EnvironmentSettings):
    """Where a process listens and what it reads, from `CALLBOARD_…`."""

    model_config = SettingsConfigDict(populate_by_name=True)

    #: Former names of variables, each with the name that it has now.
    RENAMED: ClassVar[Mapping[str, str]] = {}

    config: Path
    data: Path
    gateway_url: ServiceAddresses
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
    catalog_url: ServiceAddresses
    scaffolder_url: ServiceAddresses
    techdocs_url: ServiceAddresses
    search_url: ServiceAddresses
    analytics_url: ServiceAddresses

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
