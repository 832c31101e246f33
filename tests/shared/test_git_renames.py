"""Renames between two commits: found in bounded time, and without asking the host."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.contracts.errors import CallboardError
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.git.mirrors import RENAME_SECONDS, RepositoryMirrors
from shared.kit.git.trees import GitTrees
from tests.rawtrees import RawRepository
from tests.shared.exporting import tree_of
from tests.shared.githost import GitHost, git_host

LINES = "".join(f"line {number}\n" for number in range(30))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHost]:
    with git_host(tmp_path / "host") as started:
        yield started


def two_commits(raw: RawRepository, count: int) -> tuple[str, str]:
    """So many files have other names and one more line; one more has another name."""
    old = {f"old-{number}": f"{number}\n{LINES}" for number in range(count)}
    new = {f"new-{number}": f"{number}\n{LINES}more\n" for number in range(count)}
    before = raw.commit(tree_of(raw, {**old, "same": "same\n"}))
    return before, raw.commit(tree_of(raw, {**new, "other": "same\n"}))


async def test_a_file_with_another_line_is_renamed(raw: RawRepository) -> None:
    """As far as the time allows: else those that did not change at all."""
    commits, trees = two_commits(raw, 1), GitTrees(raw.folder, {})
    everything = {"old-0": ["new-0"], "same": ["other"]}
    assert await trees.renames(*commits, seconds=RENAME_SECONDS) == everything
    for seconds in (0.0, 0.000_001):
        assert await trees.renames(*commits, seconds=seconds) == {"same": ["other"]}


async def test_very_many_new_files_are_not_compared(raw: RawRepository) -> None:
    """Each is compared with each: the work would grow with the square of a push."""
    commits, trees = two_commits(raw, 450), GitTrees(raw.folder, {})
    renames = await trees.renames(*commits, seconds=RENAME_SECONDS)
    assert renames == {"same": ["other"]}


async def test_a_lost_commit_is_not_fetched_from_the_host(
    host: GitHost, tmp_path: Path
) -> None:
    """A mirror of it lacks contents; renames need none, and no commit that is gone."""
    before = host.commit("team/shop", {"a.yaml": "a\n"})
    integration = Integration(host=host.name, ca_file=host.authority)
    mirrors = RepositoryMirrors(tmp_path / "mirrors", Integrations(gitea=[integration]))
    target = mirrors.target(host.name, "team/shop", "main")
    (host.folder / "copies" / "team/shop" / "a.yaml").unlink()
    commit = host.commit("team/shop", {"b.yaml": "a\n"})
    await mirrors.fetch(target)
    count = len(host.requests)
    assert await mirrors.renames(target, before, commit) == {"a.yaml": ["b.yaml"]}
    with pytest.raises(CallboardError):
        await mirrors.renames(target, "1" * 40, commit)
    assert len(host.requests) == count


async def test_a_copy_of_a_changed_file_is_where_it_is_too(raw: RawRepository) -> None:
    """Also of a file that is half of it; what stays comes first."""
    public, hidden = f"public\n{LINES}", f"hidden\n{LINES.replace('line', 'row')}"
    before = raw.commit(tree_of(raw, {"both": public + hidden, "same": "same\n"}))
    files = {"both": public, "split": hidden, "same": "same\n", "new": "a new file\n"}
    after = raw.commit(tree_of(raw, files))
    renames = await GitTrees(raw.folder, {}).renames(
        before, after, seconds=RENAME_SECONDS
    )
    assert renames == {"both": ["both", "split"]}
