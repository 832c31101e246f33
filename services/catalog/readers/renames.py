"""Where files went since earlier commits, for one reading."""

import time
from collections.abc import Mapping, Sequence

from shared.contracts.errors import CallboardError, Unavailable
from shared.kit.git.addresses import GitTarget
from shared.kit.git.mirrors import RENAME_SECONDS, RepositoryMirrors
from shared.kit.git.not_found import fresh_copy

#: Host, repository, two commits, and whether only the same contents count.
Pair = tuple[str, str, str, str, bool]
#: Renamed files that are remembered together; those of the last pair in any case.
MOST_RENAMES = 100_000
#: What a reading may take to find them: the rest is for the next reading.
SECONDS = 60.0


class RenamedFiles:
    """Renames between pairs of commits, of which the last ones are remembered."""

    def __init__(self, mirrors: RepositoryMirrors) -> None:
        self._mirrors = mirrors
        #: The renames, or why they are unknown: one of the commits may be lost.
        self._renames: dict[Pair, Mapping[str, Sequence[str]] | CallboardError] = {}
        self._count = 0
        self._spent = 0.0

    async def paths(
        self, target: GitTarget, since: str, commit: str, *, same: bool = False
    ) -> Sequence[str]:
        """Where the file is at a commit that is at the target's path at `since`.

        What was copied of it, too; `same`: with its content as it was then.

        Raises:
            Unavailable: if the reading has spent its time.
            CallboardError: if it is unknown, because a commit is lost.
        """
        pair = (target.host, target.repository, since, commit, same)
        if pair not in self._renames:
            self._remember(pair, await self._listed(target, since, commit, same=same))
        renames = self._renames[pair]
        if isinstance(renames, CallboardError):
            raise fresh_copy(renames)
        return renames.get(target.path, [target.path])

    async def _listed(
        self, target: GitTarget, since: str, commit: str, *, same: bool
    ) -> Mapping[str, Sequence[str]] | CallboardError:
        if self._spent >= SECONDS:
            return Unavailable("The renamed files of a reading take too long to find")
        start = time.monotonic()
        seconds = 0.0 if same else max(RENAME_SECONDS - self._spent, 0.0)
        try:
            return await self._mirrors.renames(target, since, commit, seconds=seconds)
        except CallboardError as error:
            return fresh_copy(error)
        finally:
            self._spent += time.monotonic() - start

    def _remember(
        self, pair: Pair, renames: Mapping[str, Sequence[str]] | CallboardError
    ) -> None:
        self._renames[pair] = renames
        self._count += _size(renames)
        while self._count > MOST_RENAMES and len(self._renames) > 1:
            oldest = next(iter(self._renames))
            self._count -= _size(self._renames.pop(oldest))


def _size(renames: Mapping[str, Sequence[str]] | CallboardError) -> int:
    if isinstance(renames, CallboardError):
        return 1
    return 1 + sum(map(len, renames.values()))
