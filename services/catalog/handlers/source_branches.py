"""Branches with a slash in their name, by the source that files of theirs come from.

An address such as `blob/feat/x/docs/a.md` does not show where its branch ends. What was
read once has its whole branch, and any other address of that branch is read by it.
"""

from services.catalog.model import RepositoryPath, RootLocation


class SlashedBranches:
    """The branches that files were read from; follows the state of the roots."""

    def __init__(self) -> None:
        #: By source and first part of the name: the branches, each with its roots.
        self._roots: dict[tuple[str, str], dict[str, set[str]]] = {}
        self._branches: dict[str, set[tuple[str, str]]] = {}

    def add(self, root: RootLocation) -> None:
        """Take in a root's state."""
        for place in root.places:
            if "/" in place.branch:
                by_branch = self._roots.setdefault(_start(place.key, place.branch), {})
                by_branch.setdefault(place.branch, set()).add(root.name)
                pair = place.key, place.branch
                self._branches.setdefault(root.name, set()).add(pair)

    def discard(self, name: str) -> None:
        """Forget a root's state."""
        for source, branch in self._branches.pop(name, ()):
            start = _start(source, branch)
            by_branch = self._roots[start]
            by_branch[branch].discard(name)
            if not by_branch[branch]:
                del by_branch[branch]
            if not by_branch:
                del self._roots[start]

    def whole(self, place: RepositoryPath) -> RepositoryPath:
        """A place with its whole branch, if its address left open where that ends.

        Git has no branch below another one, so at most one can be meant.
        """
        if not (place.is_open and self._roots):
            return place
        # Of most addresses, such as those of `main`, no name of a branch begins so.
        branches = self._roots.get((place.key, place.branch))
        if not branches:
            return place
        return next(
            (reading for reading in place.readings() if reading.branch in branches),
            place,
        )


def _start(source: str, branch: str) -> tuple[str, str]:
    """What an open place begins with that may be on a branch."""
    return source, branch.partition("/")[0]
