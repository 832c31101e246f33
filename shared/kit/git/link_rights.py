"""What links lead to, as far as the reader of a repository may read it (ADR 18).

A right is asked for the address as it is written; a link leads to another place. So
each place that links lead through and to is asked for before anything there is read.
"""

from asyncio import to_thread
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from shared.contracts.errors import CallboardError, TooLarge
from shared.guards.foreign_trees import (
    LINK_STEPS,
    FollowedTree,
    TreeIndex,
    TreeLimits,
    follow_links,
)
from shared.guards.turns import in_turns
from shared.kit.git.addresses import GitTarget

#: Given paths of a repository, returns those that the reader may not read.
HiddenPaths = Callable[[Sequence[str]], Awaitable[Collection[str]]]


@dataclass(frozen=True, slots=True)
class PathRights:
    """What the reader of a folder may not read: None is nothing of the kind.

    `hidden_paths` are those of places that links lead to; `hidden_files` of the files
    of the folder itself, for who may read it, but not everything in it.
    """

    hidden_paths: HiddenPaths | None = None
    hidden_files: HiddenPaths | None = None


ALL_PATHS = PathRights()


def hidden_by_location(
    target: GitTarget,
    locate: Callable[[str], GitTarget | None],
    hidden_locations: HiddenPaths,
) -> HiddenPaths:
    """What tells the hidden paths of a repository at the target's ref.

    `hidden_locations` tells the same of locations (`url:https://…`). A path that no
    address names, such as one with a line break, cannot be asked for: it is hidden.
    """

    async def hidden_paths(paths: Sequence[str]) -> Collection[str]:
        locations = {
            path: _location_of(path, target, locate) async for path in in_turns(paths)
        }
        named = [location for location in locations.values() if location is not None]
        hidden = frozenset(await hidden_locations(named) if named else ())
        return {
            path
            for path, location in locations.items()
            if location is None or location in hidden
        }

    return hidden_paths


def _location_of(
    path: str, target: GitTarget, locate: Callable[[str], GitTarget | None]
) -> str | None:
    """The location of a path; None if its address would be read as another place."""
    try:
        address = target.at(path).url()
        place = locate(address)
    except (CallboardError, UnicodeError):
        return None
    if place is None or place.with_ref(target.ref).path != path:
        return None
    return f"url:{address}"


async def is_hidden(
    index: TreeIndex, path: str, hidden_paths: HiddenPaths | None
) -> bool:
    """Whether the links of a path lead through or to a place that is hidden."""
    if hidden_paths is None:
        return False
    way = index.way(path)
    return way != [path] and bool(await hidden_paths(way))


async def follow_shown_links(
    index: TreeIndex, root: str, limits: TreeLimits, hidden_paths: HiddenPaths
) -> FollowedTree:
    """Replace links by files as `follow_links` does, but for what is hidden.

    A link to a hidden place is left out like one that leads to nothing. All links of a
    folder are one question, and those of the folders that they lead to the next.

    Raises:
        Invalid: naming a link that leaves the repository or leads to itself.
        NotFound: if `root` is no folder.
        TooLarge: if there are too many files, places to ask for, or folders behind
            links of each other.
    """
    visibility: dict[str, bool] = {}
    for _ in range(LINK_STEPS):
        tree = await to_thread(follow_links, index, root, limits, visibility)
        if not tree.unasked:
            return tree
        if len(visibility) + len(tree.unasked) > limits.files:
            raise TooLarge(f"Links lead to more than {limits.files} places")
        hidden = frozenset(await hidden_paths(sorted(tree.unasked)))
        visibility.update((path, path not in hidden) for path in tree.unasked)
    raise TooLarge(f"Links lead through more than {LINK_STEPS} folders of links")
