"""Stage three: the generated site into the store, under the hash of its sources."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from services.techdocs.model import DocsFolder, Generated, Prepared, PublishedSite
from services.techdocs.ports import SiteStore


async def publish(
    generated: Generated,
    prepared: Prepared,
    place: DocsFolder,
    sites: SiteStore,
    *,
    duration_ms: int,
) -> PublishedSite:
    """Publish a generated site; no reader sees it until a record has its hash.

    Raises:
        Invalid: if it holds something other than files and folders.
    """
    await asyncio.to_thread(
        sites.publish, prepared.content, Path(generated.out), Path(generated.record)
    )
    return PublishedSite(
        site=prepared.content,
        title=generated.title,
        pages=generated.pages,
        built_at=datetime.now(UTC),
        duration_ms=duration_ms,
        commit=prepared.commit,
        repository=place.repository_key,
        repository_url=prepared.repository_url,
        warnings=generated.warnings,
    )
