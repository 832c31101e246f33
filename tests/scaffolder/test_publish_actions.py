"""The action that publishes: a new repository at a real host, and only once."""

from pathlib import Path

import pytest

from shared.contracts.errors import (
    Conflict,
    Invalid,
    NotFound,
)
from tests.scaffolder.workbench import HOST, Bench
from tests.shared.githost import git


async def test_a_repository_is_published(bench: Bench, repositories: Path) -> None:
    """Created with one commit by the user, and its pages are the outputs."""
    bench.write("README.md", "hello")
    bench.write(".git/hooks/pre-commit", "exit 1")
    outputs = await bench.run(
        "publish:git", repoUrl=f"{HOST}?repo=new", gitCommitMessage="Begin"
    )
    bare = repositories / "new.git"
    assert outputs["remoteUrl"] == f"https://{HOST}/new"
    assert outputs["repoContentsUrl"] == f"https://{HOST}/new/tree/main"
    assert git("rev-parse", "main", cwd=bare) == outputs["commitHash"]
    assert (
        git("log", "--format=%an <%ae> %s", cwd=bare) == "Ann <ann@example.test> Begin"
    )
    assert git("ls-tree", "-r", "--name-only", "main", cwd=bare) == "README.md"


async def test_gits_own_folders_are_left_out_by_name(
    bench: Bench, repositories: Path
) -> None:
    """On any file system; of many the log names the first ten."""
    bench.write("app/README.md", "hello")
    bench.write("app/.git/hooks/post-commit", "exit 1")
    bench.write("app/sub/.GIT/config", "[core]")
    await bench.run("publish:git", repoUrl=f"{HOST}?repo=new", sourcePath="app")
    assert bench.lines[0] == "Left out as Git's own folders: '.git', 'sub/.GIT'"
    tree = git("ls-tree", "-r", "--name-only", "main", cwd=repositories / "new.git")
    assert tree == "README.md"
    for number in range(15):
        bench.write(f"many/{number:02}/.git/config", "[core]")
    bench.write("many/a")
    bench.lines.clear()
    await bench.run("publish:git", repoUrl=f"{HOST}?repo=many", sourcePath="many")
    assert bench.lines[0].endswith("'08/.git', '09/.git' and 5 more")


async def test_a_workspace_of_gits_own_folders_is_not_published(
    bench: Bench, repositories: Path
) -> None:
    """Nothing would be left of it; no repository is made."""
    before = sorted(repositories.iterdir())
    bench.write(".git/hooks/post-commit", "exit 1")
    bench.write("sub/.GIT/config", "[core]")
    with pytest.raises(
        Invalid, match=r"^sourcePath: .* nothing to publish but '\.git', 'sub/\.GIT'"
    ):
        await bench.run("publish:git", repoUrl=f"{HOST}?repo=new")
    assert sorted(repositories.iterdir()) == before


async def test_an_existing_repository_is_not_overwritten(
    bench: Bench, kit: str, repositories: Path
) -> None:
    """A name that is taken is a conflict, and nothing is pushed."""
    before = git("rev-parse", "main", cwd=repositories / "kit.git")
    for _ in range(2):
        with pytest.raises(Conflict, match="kit"):
            await bench.run("publish:git", repoUrl=f"{HOST}?repo=kit")
    assert git("rev-parse", "main", cwd=repositories / "kit.git") == before


async def test_a_name_that_exists_in_another_case_is_refused(
    bench: Bench, kit: str, repositories: Path
) -> None:
    """Other file systems and hosts take both names for one; the field is named."""
    for _ in range(2):
        with pytest.raises(Conflict, match=r"repoUrl: There is a repository kit at"):
            await bench.run("publish:git", repoUrl=f"{HOST}?repo=KIT")
    assert not (repositories / "KIT.git").exists()
    assert bench.checkpoints.get("claimed") is None


async def test_an_owner_at_a_host_without_owners_is_named(bench: Bench) -> None:
    """The error says what to write."""
    with pytest.raises(Invalid, match="has no owners: write 'new' without 'acme'"):
        await bench.run("publish:git", repoUrl=f"{HOST}?owner=acme&repo=new")


async def test_publishing_resumes_after_a_kill(
    bench: Bench, repositories: Path
) -> None:
    """After a kill past the creation or the push, neither happens twice."""
    bench.write("a")
    bench.checkpoints["claimed"] = f"{HOST}/new"
    await bench.mirrors.create(HOST, "new", branch="main")
    first = await bench.run("publish:git", repoUrl=f"{HOST}?repo=new", is_resumed=True)
    again = await bench.run("publish:git", repoUrl=f"{HOST}?repo=new", is_resumed=True)
    assert first == again
    assert git("rev-list", "--count", "main", cwd=repositories / "new.git") == "1"


@pytest.mark.parametrize(
    "url",
    ["", "no place", f"{HOST}", f"{HOST}?repo=../x", "x?repo=a", f"{HOST}?repo=A.GIT"],
)
async def test_an_invalid_repository_url_is_refused(bench: Bench, url: str) -> None:
    """No host, no name, a path as a name, an unknown host."""
    with pytest.raises((Invalid, NotFound)):
        await bench.run("publish:git", repoUrl=url)


@pytest.mark.parametrize("length", [101, 300, 5000])
async def test_a_name_that_is_too_long_names_the_limit(
    bench: Bench, repositories: Path, length: int
) -> None:
    """Before a file system refuses it with a path of this machine."""
    before = sorted(repositories.iterdir())
    with pytest.raises(Invalid, match=r"^repository: a name has at most 100 char"):
        await bench.run("publish:git", repoUrl=f"{HOST}?repo={'n' * length}")
    assert sorted(repositories.iterdir()) == before


@pytest.mark.parametrize(
    "branch",
    ["HEAD", "-x", "refs/heads/main", "a..b", "x.lock", "@{-1}", "a b", "n" * 201],
)
async def test_a_branch_that_git_refuses_makes_no_repository(
    bench: Bench, repositories: Path, branch: str
) -> None:
    """The rule is Git's own, and comes before the repository is made."""
    before = sorted(repositories.iterdir())
    with pytest.raises(Invalid, match=r"^branch: "):
        await bench.run("publish:git", repoUrl=f"{HOST}?repo=new", defaultBranch=branch)
    assert sorted(repositories.iterdir()) == before
