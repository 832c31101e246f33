"""The model of techdocs: documented entities, sources of docs, sites, builds.

An entity is documented when it has the annotation `backstage.io/techdocs-ref`; it may
instead point to another entity's docs with `backstage.io/techdocs-entity`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.contracts.docs_sources import DocsSource
from shared.contracts.entity import Entity, list_of
from shared.contracts.errors import Forbidden
from shared.contracts.ref import EntityRef, parse_ref
from shared.contracts.trace import Trace

#: Large parts of an entity that neither pages of docs nor rules of the policy read.
LEFT_OUT = frozenset({"definition", "steps", "parameters"})

#: The reasons of a due build: the source may have changed, or a mere check.
CHANGED, CHECK = 1, 2
#: After so many seconds each process of the catalog knows who may read what.
SETTLING_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class CatalogRevision:
    """A revision of an entity as the catalog publishes it; None once deleted."""

    ref: str
    revision: int
    entity: Entity | None


@dataclass(frozen=True, slots=True)
class DocsFolder:
    """A folder with docs: in a repository (`host` is set) or on this machine.

    `folds_case`: its host has one repository under all spellings of its name.
    """

    folder: str
    host: str | None = None
    repository: str | None = None
    ref: str = ""
    folds_case: bool = False

    @property
    def repository_key(self) -> str | None:
        """`host/repository`, as `git-push` names it."""
        return f"{self.host}/{self.repository}" if self.host else None


@dataclass(frozen=True, slots=True)
class PublishedSite:
    """A published site: its content hash (its folder's name), and its build."""

    site: str
    title: str
    pages: int
    built_at: datetime
    duration_ms: int = 0
    commit: str | None = None
    repository: str | None = None
    repository_url: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteBasis:
    """By what a site shows nothing that is hidden from some readers of its entity.

    The catalog gave this state for a location of its source when the site was made, or
    was last found to be as it would be made.
    """

    location: str
    state: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the latest build failed; `content` is the hash of the sources.

    `stops` counts how often in a row a limit stopped the build of this content; a mere
    check before `retry_at` does not build it again.
    """

    error: str
    at: datetime
    commit: str | None = None
    content: str | None = None
    log: tuple[str, ...] = ()
    stops: int = 0
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Documented:
    """The record of an entity with docs: its fields, its site, and what is due.

    `requests` counts the requests for a check of its source; a build serves those from
    before it began. `watched` are the paths that its site is made of, None if
    unknown. `looked` is the state of the source at the last check; None also if what
    is read there may change unnoticed. `basis` is that of the current site, and
    `failure_state` the state of a `SiteBasis` under which the latest build failed.
    `rights_changed`: others may read its repository since then (in seconds since 1970);
    0 if that is taken into account.
    """

    ref: str
    revision: int
    entity: Entity
    source: DocsSource | None = None
    alias: str | None = None
    error: str | None = None
    current: PublishedSite | None = None
    failure: Failure | None = None
    history: tuple[tuple[str, datetime], ...] = ()
    watched: tuple[str, ...] | None = None
    looked: str | None = None
    basis: SiteBasis | None = None
    failure_state: str | None = None
    requests: int = 0
    due: int = 0
    tries: int = 0
    #: Since when a build is tried in vain, in seconds since 1970; 0: it is not.
    waiting_since: float = 0
    rights_changed: float = 0
    #: The trace of the request that made the next build due.
    trace: Trace = field(default_factory=dict)

    @property
    def name(self) -> EntityRef:
        """The ref in its parts, lower-case."""
        return parse_ref(self.ref)

    @property
    def title(self) -> str:
        """The entity's title, else its name."""
        return self.entity.title or self.entity.name


@dataclass(frozen=True, slots=True)
class Built:
    """The outcome of a build whose site is published, now or before."""

    site: PublishedSite
    watched: tuple[str, ...] = ()
    looked: str | None = None
    basis: SiteBasis | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The outcome of a check of a source that has not changed.

    Without a `basis`, nothing was learnt of the current site.
    """

    watched: tuple[str, ...] | None = None
    looked: str | None = None
    basis: SiteBasis | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The outcome of a failed build; readers keep the last good site."""

    failure: Failure
    duration_ms: int = 0
    watched: tuple[str, ...] | None = None
    looked: str | None = None
    #: The last good site must not be shown any more either.
    withdraws: bool = False
    #: The state of hidden files that its log was made under; None: unknown.
    state: str | None = None
    #: The same source fails again.
    is_final: bool = True


class SourceClosed(Forbidden):
    """The source of docs is not open to everybody who may see their entity."""


Outcome = Built | Unchanged | Failed


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of copying a folder.

    `outside` are paths of the repository outside the folder, to which its links lead;
    `warnings` are lines for the log about what was left out. `has_hidden_files`: files
    were left out that not all readers may read.
    """

    outside: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    has_hidden_files: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """Sources in a private folder, ready to generate.

    `content` is the hash of all that the site is made of, `config` the name of the
    configuration, `watched` the paths of the sources. The links are addresses in the
    repository with `{path}` in them; `readme` is the README that is the first page.
    """

    folder: str
    content: str
    config: str | None
    commit: str | None
    watched: tuple[str, ...]
    repository_url: str | None = None
    edit_link: str | None = None
    source_link: str | None = None
    readme: str | None = None


@dataclass(slots=True)
class Limits:
    """The limits of one build, and the plugins that it may use beside the usual."""

    seconds: float = 120.0
    memory_bytes: int = 1024 * 1024 * 1024
    files: int = 10_000
    total_bytes: int = 200 * 1024 * 1024
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated site in two folders, with its title, pages and warnings."""

    out: str
    record: str
    title: str
    pages: int
    warnings: tuple[str, ...] = field(default=())


def stored_entity(entity: Entity) -> Entity:
    """The entity with the parts that techdocs stores."""
    raw = entity.raw
    return Entity(
        {
            "apiVersion": raw.get("apiVersion"),
            "kind": raw.get("kind"),
            "metadata": dict(entity.metadata),
            "spec": {k: v for k, v in entity.spec.items() if k not in LEFT_OUT},
            "relations": list_of(raw.get("relations")),
        }
    )


def touches(record: Documented, folder: str, changed: Sequence[str] | None) -> bool:
    """Whether a push of these paths may change the site; None are unknown paths."""
    if changed is None:
        return True
    if record.watched is None:
        prefix = f"{folder}/" if folder else ""
        return any(path.startswith(prefix) for path in changed)
    return any(
        path == watched or path.startswith(f"{watched}/") or watched == ""
        for path in changed
        for watched in record.watched
    )


def retained(
    history: Sequence[tuple[str, datetime]], now: datetime, *, last: int, days: float
) -> tuple[tuple[str, datetime], ...]:
    """The earlier sites to retain, newest first: the `last` ones, not over `days`."""
    fresh = [item for item in history if (now - item[1]).total_seconds() < days * 86400]
    return tuple(fresh[:last])
