"""The gateway's knobs, beside what every service is told."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.kit.settings import ServiceSettings

POLICIES = Path(__file__).resolve().parents[2] / "deploy" / "policies"


class Settings(ServiceSettings):
    """Read from `CALLBOARD_…` and `CALLBOARD_GATEWAY_…`."""

    model_config = SettingsConfigDict(
        env_prefix="CALLBOARD_", extra="ignore", populate_by_name=True
    )

    #: The folder of Rego files that the embedded policy evaluates.
    policies: Path = Field(
        default=POLICIES, validation_alias="CALLBOARD_GATEWAY_POLICIES"
    )
    #: How long a user's groups are believed without asking the catalog, in seconds.
    membership_seconds: float = Field(
        default=60.0, gt=0, validation_alias="CALLBOARD_GATEWAY_MEMBERSHIP_SECONDS"
    )
    #: A live stream ends after so many seconds; its reader connects again.
    stream_seconds: float = Field(
        default=1800.0, gt=0, validation_alias="CALLBOARD_GATEWAY_STREAM_SECONDS"
    )
