"""The gateway's own settings, beside those of every service."""

from pathlib import Path

from pydantic import Field, SecretStr

from shared.kit.config.rules import ServiceAddresses
from shared.kit.config.settings import ServiceSettings

POLICIES = Path(__file__).resolve().parents[2] / "deploy" / "policies"


class Settings(ServiceSettings):
    """Read from `CALLBOARD_…` and `CALLBOARD_GATEWAY_…`."""

    #: The address of the front end: the portal, or another one in its place.
    portal_url: ServiceAddresses
    #: The folder of Rego files: evaluated here, or served to OPA servers.
    policies: Path = Field(
        default=POLICIES, validation_alias="CALLBOARD_GATEWAY_POLICIES"
    )
    #: The token with which OPA servers fetch the policy; without it no server may.
    bundle_token: SecretStr | None = Field(
        default=None, min_length=16, validation_alias="CALLBOARD_GATEWAY_BUNDLE_TOKEN"
    )
    #: Seconds that an OPA server's decision may take, and for which it is cached.
    policy_seconds: float = Field(
        default=1.0, gt=0, validation_alias="CALLBOARD_GATEWAY_POLICY_SECONDS"
    )
    decision_seconds: float = Field(
        default=5.0, ge=0, validation_alias="CALLBOARD_GATEWAY_DECISION_SECONDS"
    )
    #: Seconds for which a user's groups are cached.
    membership_seconds: float = Field(
        default=60.0, gt=0, validation_alias="CALLBOARD_GATEWAY_MEMBERSHIP_SECONDS"
    )
    #: A live stream ends after so many seconds; its reader connects again.
    stream_seconds: float = Field(
        default=1800.0, gt=0, validation_alias="CALLBOARD_GATEWAY_STREAM_SECONDS"
    )
    #: Addresses and networks of reverse proxies whose `X-Forwarded-For` is trusted.
    trusted_proxies: str | None = Field(
        default=None, validation_alias="CALLBOARD_GATEWAY_TRUSTED_PROXIES"
    )
    #: How many requests one person may have open at a time, and how many live streams.
    requests_per_user: int = Field(
        default=128, gt=0, validation_alias="CALLBOARD_GATEWAY_REQUESTS_PER_USER"
    )
