"""TechDocs' events: a site was built, or a build failed.

Topic `docs-built`, key = canonical entity ref.
"""

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from shared.contracts.envelope import Payload
from shared.contracts.topics import DOCS_BUILT


class SiteChange(Payload):
    """The fields that both events share.

    `site` is the content hash of the current site; after a failure it is that of the
    last successful build, or None. `duration_ms` covers prepare, generate and publish.
    """

    TOPIC: ClassVar[str] = DOCS_BUILT

    entity_ref: str
    title: str
    site: str | None = None
    commit: str | None = None
    repository: str | None = None
    pages: int = Field(default=0, ge=0)
    duration_ms: int = Field(default=0, ge=0)
    built_at: datetime
    error: str | None = None


class SiteBuilt(SiteChange):
    """A new site is published."""

    TYPE: ClassVar[str] = "callboard.site.built.v1"


class SiteFailed(SiteChange):
    """A build failed for the reason `error`; readers still get the last good site."""

    TYPE: ClassVar[str] = "callboard.site.failed.v1"
