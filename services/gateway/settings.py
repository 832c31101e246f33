"""The gateway's knobs, beside what every service is told."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.kit.config.settings import ServiceSettings

POLICIES = Path(__file__).resolve().parents[2] / "deploy" / "policies"


class Settings(ServiceSettings):
    """Read from `CALLBOARD_…` and `CALLBOARD_GATEWAY_…`."""

    model_config = SettingsConfigDict(
        env_prefix="CALLBOARD_", extra="ignore", populate_by_name=True
    )

    #: Where the pages come from: the portal, or another front end in its place.
    portal_url: str
    #: The folder of Rego files: evaluated here, or handed out to OPA servers.
    policies: Path = Field(
        default=POLICIES, validation_alias="CALLBOARD_GATEWAY_POLICIES"
    )
    #: The token with which OPA servers fetch the policy; without it no server may.
    bundle_token: SecretStr | None = Field(
        default=None, min_length=16, validation_alias="CALLBOARD_GATEWAY_BUNDLE_TOKEN"
    )
    #: How long an OPA server's decision may take, and how long it counts, in seconds.
    policy_seconds: float = Field(
        default=1.0, gt=0, validation_alias="CALLBOARD_GATEWAY_POLICY_SECONDS"
    )
    decision_seconds: float = Field(
        default=5.0, ge=0, validation_alias="CALLBOARD_GATEWAY_DECISION_SECONDS"
    )
    #: How long a user's groups are believed without asking the catalog, in seconds.
    membership_seconds: float = Field(
        default=60.0, gt=0, validation_alias="CALLBOARD_GATEWAY_MEMBERSHIP_SECONDS"
    )
    #: A live stream ends after so many seconds; its reader connects again.
    stream_seconds: float = Field(
        default=1800.0, gt=0, validation_alias="CALLBOARD_GATEWAY_STREAM_SECONDS"
    )
    #: Addresses and networks of reverse proxies whose `X-Forwarded-For` is believed.
    trusted_proxies: str | None = Field(
        default=None, validation_alias="CALLBOARD_GATEWAY_TRUSTED_PROXIES"
    )
    #: How many requests one person may have open at a time, live streams among them.
    requests_per_user: int = Field(
        default=128, gt=0, validation_alias="CALLBOARD_GATEWAY_REQUESTS_PER_USER"
    )
