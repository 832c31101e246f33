"""The sources of builds: where docs are, who may read them, and their files."""

from dataclasses import dataclass
from pathlib import Path

from services.techdocs.generator.job import GENERATOR_VERSION
from services.techdocs.handlers.build_rights import BuildRights
from services.techdocs.handlers.documented import repository_of
from services.techdocs.model import (
    DocsFolder,
    Documented,
    Limits,
    Prepared,
    SourceClosed,
)
from services.techdocs.ports import (
    DocsCatalog,
    DocsSources,
    Generator,
    Records,
    Say,
    SiteStore,
)
from services.techdocs.stages.prepare import prepare
from shared.contracts.annotations import TECHDOCS_REF
from shared.contracts.errors import CallboardError

#: Raised when a source is prepared by other rules, so that each is prepared once more.
PREPARING_VERSION = 2


@dataclass(frozen=True, slots=True)
class BuildTools:
    """The objects that builds use."""

    records: Records
    sources: DocsSources
    generator: Generator
    sites: SiteStore
    limits: Limits
    catalog: DocsCatalog


def source_state(
    record: Documented, place: DocsFolder, commit: str | None, rights: BuildRights
) -> str | None:
    """The state of a source without reading its files; None for a plain folder."""
    if commit is None:
        return None
    source = f"{place.host}/{place.repository}/{place.folder}"
    version = f"{GENERATOR_VERSION}.{PREPARING_VERSION}"
    return f"{version}|{commit}|{rights.state}|{source}|{record.title}"


async def prepare_source(
    record: Documented,
    place: DocsFolder,
    commit: str | None,
    tools: BuildTools,
    rights: BuildRights,
    say: Say,
    workspace: Path,
) -> Prepared:
    """Take a source's files that all readers may read into the workspace."""
    say(f"info: Step 1 of 3: Preparing docs for entity {record.ref}")
    prepared = await prepare(
        place,
        tools.sources.shown_to(rights),
        new_folder(workspace / "source"),
        commit=commit,
        title=record.title,
        limits=tools.limits,
        say=say,
    )
    say(f"info: Prepare step completed for entity {record.ref}")
    return prepared


def new_folder(folder: Path) -> Path:
    """Make a folder."""
    folder.mkdir()
    return folder


async def place_of(record: Documented, tools: BuildTools) -> DocsFolder:
    """Where the docs of an entity are, which is stored."""
    if record.source is None:
        await tools.records.located(record.ref, None)
        raise CallboardError(record.error or "There is no source of docs")
    place = tools.sources.locate(record.source)
    # Stored before the source is read: a push during the build finds the record.
    await tools.records.located(record.ref, place)
    settled = await tools.sources.settle(record.source)
    if settled != place:
        await tools.records.located(record.ref, settled)
    return settled


async def require_open(
    record: Documented, place: DocsFolder, tools: BuildTools
) -> None:
    """Check that docs from another repository are for all readers of their entity.

    A build has no reader whose rights count: it reads with the portal's own rights, and
    everybody who may see the entity reads the result (ADR 18).
    """
    if place.host is None or record.source is None:
        return
    if repository_of(record.entity, tools.sources) == place.repository_key:
        return
    location = f"url:{tools.sources.url(record.source)}"
    if await tools.catalog.closed_locations([location], record.ref):
        raise SourceClosed(
            f"{TECHDOCS_REF}: there is no repository {place.repository} at "
            f"{place.host}, or it is not for everybody who may see {record.ref}"
        )
