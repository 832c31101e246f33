"""A push: reads the files that changed, and adds or removes discovered roots."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from services.catalog.handlers.catalog import CatalogContext, CommandContext
from services.catalog.handlers.discovery import Provider, reconcile_repository
from services.catalog.handlers.ingestion import ingest
from services.catalog.handlers.roots import find_root
from services.catalog.ingest.location_targets import may_spread, targets_of
from services.catalog.model import FileState, RepositoryPath, RootLocation, TargetKey
from shared.contracts.catalog import Cause
from shared.contracts.errors import CallboardError, NotFound, Unavailable
from shared.contracts.gateway import NO_COMMIT, RepositoryPushed
from shared.contracts.trace import Trace
from shared.guards.globs import is_pattern

BRANCH = "refs/heads/"


@dataclass(frozen=True, slots=True)
class Push:
    """What happened to one branch; `paths` None: anything may have changed."""

    host: str
    repository: str
    branch: str
    paths: frozenset[str] | None
    actor: str
    trace: Trace = field(default_factory=dict, compare=False)
    folds_case: bool = False

    @property
    def key(self) -> str:
        """The repository as places are matched by it."""
        return RepositoryPath(self.host, self.repository, "", "", self.folds_case).key

    def joined_with(self, earlier: "Push | None") -> "Push":
        """This push and an earlier one to the same branch as one."""
        if earlier is None:
            return self
        return replace(self, paths=_both(earlier.paths, self.paths))

    def touches(self, place: RepositoryPath) -> bool:
        """Whether a place may differ now; a place without branch is on the default."""
        return (
            place.key == self.key
            and place.branch in ("", self.branch)
            and (self.paths is None or place.path in self.paths)
        )


def merge_pushes(
    events: Iterable[tuple[RepositoryPushed, Trace]], folds_case: Callable[[str], bool]
) -> list[Push]:
    """Pushes of whole branches, each in its event's trace; several to one are one.

    `folds_case` tells of a host whether it has one repository under all spellings. A
    deleted branch may have changed anything. Tags are none.
    """
    pushes: dict[tuple[str, str, str], Push] = {}
    for event, trace in events:
        if not event.ref.startswith(BRANCH):
            continue
        branch = event.ref.removeprefix(BRANCH)
        paths = None
        if event.changed_paths is not None and event.after != NO_COMMIT:
            paths = frozenset(path.strip("/") for path in event.changed_paths)
        actor = event.pusher_name or event.pusher
        push = Push(
            event.host,
            event.repository,
            branch,
            paths,
            actor,
            trace,
            folds_case(event.host),
        )
        key = (event.host, event.repository, branch)
        pushes[key] = push.joined_with(pushes.get(key))
    return list(pushes.values())


def _both(
    paths: frozenset[str] | None, other_paths: frozenset[str] | None
) -> frozenset[str] | None:
    return None if paths is None or other_paths is None else paths | other_paths


async def apply_push(
    catalog: CatalogContext, providers: Sequence[Provider], push: Push
) -> None:
    """Bring the catalog up to a push."""
    context = CommandContext(
        push.actor, Cause(kind="push", repository=f"{push.host}/{push.repository}")
    )
    new_root_names = {
        root.name
        for provider in providers
        if provider.host == push.host and provider.branch in ("", push.branch)
        if (root := await _reconcile(catalog, provider, push, context)) is not None
    }
    errors: list[CallboardError] = []
    for root in catalog.state.roots_of(push.key):
        if root.name in new_root_names or root.name not in catalog.state.roots:
            continue
        try:
            await _read_again(catalog, root, push, context)
        except CallboardError as error:
            # Another root of the repository may have nothing to do with it.
            errors.append(error)
    if errors:
        # What may pass is told first: the push is read again then.
        raise min(errors, key=lambda error: not isinstance(error, Unavailable))


async def _read_again(
    catalog: CatalogContext, root: RootLocation, push: Push, context: CommandContext
) -> None:
    """Read what a push may have changed of a root."""
    if not root.settled or _spreads(catalog, root):
        await ingest(catalog, root, context)
        return
    keys = _touched(root.files.values(), push)
    if keys or _touches_closed(root, push):
        await ingest(catalog, root, context, only=keys)


async def _reconcile(
    catalog: CatalogContext, provider: Provider, push: Push, context: CommandContext
) -> RootLocation | None:
    """Reconcile the repository if the push may have added or removed its descriptor."""
    place = RepositoryPath(
        push.host,
        push.repository,
        push.branch,
        provider.path.strip("/"),
        push.folds_case,
    )
    if not provider.branch and not await _is_default(catalog, push):
        return None
    location = catalog.sources.descriptor(
        provider.host, push.repository, push.branch, provider.path
    )
    root = find_root(catalog, location)
    is_known = root is not None and provider.provider_id in root.providers
    if is_known and not is_pattern(place.path) and not push.touches(place):
        return None
    return await reconcile_repository(catalog, provider, location, context)


async def _is_default(catalog: CatalogContext, push: Push) -> bool:
    """Whether a push went to its repository's default branch."""
    try:
        branch = await catalog.sources.default_branch(push.host, push.repository)
    except NotFound:
        return False
    return branch == push.branch


def _touched(states: Iterable[FileState], push: Push) -> set[TargetKey]:
    return {
        (state.parent, state.location)
        for state in states
        if any(push.touches(place) for place in state.places)
    }


def _touches_closed(root: RootLocation, push: Push) -> bool:
    """Whether a closed file may be somewhere else now."""
    places = (file.place for file in root.closed.values())
    return any(place is not None and push.touches(place) for place in places)


def _spreads(catalog: CatalogContext, root: RootLocation) -> bool:
    """Whether patterns may match files now that were not there before."""
    texts = [root.location.target]
    for parent in {parent for parent, _ in root.files}:
        location = catalog.state.get(parent)
        if location is not None:
            texts += targets_of(location.entity)[1]
    return any(may_spread(text) for text in texts)
