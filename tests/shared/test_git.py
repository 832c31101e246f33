"""Repositories on a local host: read, made, pushed to; web addresses both ways."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.contracts.errors import Conflict, Invalid, NotFound
from shared.kit.config import Integration, Integrations
from shared.kit.git import RepositoryMirrors
from shared.kit.giturls import parse_url

HOST = "git.example.org"
AUTHOR = ("Ann Example", "ann@example.org")


@pytest.fixture
def mirrors(tmp_path: Path) -> RepositoryMirrors:
    host = tmp_path / "host"
    host.mkdir()
    local = Integration(host=HOST, directory=host)
    return RepositoryMirrors(tmp_path / "mirrors", Integrations(local=[local]))


def written(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


async def pushed(
    mirrors: RepositoryMirrors, folder: Path, name: str = "payments"
) -> str:
    await mirrors.create(HOST, name)
    target = mirrors.target(HOST, name, "main")
    return await mirrors.push_tree(target, folder, message="First", author=AUTHOR)


async def test_a_file_is_read_at_a_commit(
    mirrors: RepositoryMirrors, tmp_path: Path
) -> None:
    """What was pushed is read back by its address, with who and why."""
    files = {"catalog-info.yaml": "kind: Component\n", "docs/index.md": "# Hi\n"}
    sha = await pushed(mirrors, written(tmp_path / "work", files))
    target = mirrors.locate(f"https://{HOST}/payments/blob/main/catalog-info.yaml")
    assert target is not None
    assert await mirrors.fetch(target) == sha
    assert await mirrors.read(target, sha, target.path) == b"kind: Component\n"
    assert list(await mirrors.list(target, sha)) == [
        "catalog-info.yaml",
        "docs/index.md",
    ]
    told = await mirrors.commit_info(target, sha)
    assert (told.author, told.subject) == ("Ann Example", "First")
    assert await mirrors.repositories(HOST) == ["payments"]


async def test_a_folder_is_exported_without_its_prefix(
    mirrors: RepositoryMirrors, tmp_path: Path
) -> None:
    """A part of a repository becomes a folder of files."""
    sha = await pushed(mirrors, written(tmp_path / "work", {"docs/a/b.md": "text"}))
    target = mirrors.target(HOST, "payments", "main")
    await mirrors.export(target, sha, "docs", tmp_path / "out")
    assert (tmp_path / "out" / "a" / "b.md").read_text() == "text"


async def test_a_link_that_leads_outside_is_refused(
    mirrors: RepositoryMirrors, tmp_path: Path
) -> None:
    """A repository cannot make us read or write what is not in it."""
    work = written(tmp_path / "work", {"docs/a.md": "text"})
    (work / "docs" / "passwords").symlink_to("/etc/passwd")
    sha = await pushed(mirrors, work)
    target = mirrors.target(HOST, "payments", "main")
    with pytest.raises(Invalid, match="path"):
        await mirrors.export(target, sha, "docs", tmp_path / "out")


@pytest.mark.parametrize("path", ["../secret", "a/../../b", "docs\n/x"])
async def test_a_path_never_leaves_the_repository(
    mirrors: RepositoryMirrors, tmp_path: Path, path: str
) -> None:
    """Traversal is an error that names the path."""
    sha = await pushed(mirrors, written(tmp_path / "work", {"a": "1"}))
    with pytest.raises(Invalid, match="outside"):
        await mirrors.read(mirrors.target(HOST, "payments", "main"), sha, path)


async def test_what_is_not_there_is_not_found(
    mirrors: RepositoryMirrors, tmp_path: Path
) -> None:
    """A missing repository, ref or file each says so."""
    sha = await pushed(mirrors, written(tmp_path / "work", {"a": "1"}))
    for repository, ref in (("nothing", "main"), ("payments", "no-such-branch")):
        with pytest.raises(NotFound):
            await mirrors.fetch(mirrors.target(HOST, repository, ref))
    with pytest.raises(NotFound, match="nope"):
        await mirrors.read(mirrors.target(HOST, "payments", "main"), sha, "nope.yaml")
    with pytest.raises(NotFound, match="integration"):
        mirrors.target("elsewhere.example.org", "x", "main")


async def test_a_repository_is_made_once(mirrors: RepositoryMirrors) -> None:
    """A second one of the name is a conflict; a name with a path is refused."""
    await mirrors.create(HOST, "orders")
    with pytest.raises(Conflict):
        await mirrors.create(HOST, "orders")
    for name in ("../orders", "a/b", "-x", ""):
        with pytest.raises(Invalid):
            await mirrors.create(HOST, name)


async def test_changed_paths_lie_between_two_commits(
    mirrors: RepositoryMirrors, tmp_path: Path
) -> None:
    """A push is told by the files it changed."""
    before = await pushed(mirrors, written(tmp_path / "work", {"a": "1", "b": "1"}))
    clone = tmp_path / "clone"
    bare = tmp_path / "host" / "payments.git"
    for command in (
        ["git", "clone", "-q", str(bare), str(clone)],
        ["git", "-C", str(clone), "config", "user.email", "x@example.org"],
        ["git", "-C", str(clone), "config", "user.name", "X"],
    ):
        subprocess.run(command, check=True)
    written(clone, {"b": "2", "c": "new"})
    for command in (["add", "."], ["commit", "-qm", "Two"], ["push", "-q"]):
        subprocess.run(["git", "-C", str(clone), *command], check=True)
    target = mirrors.target(HOST, "payments", "main")
    after = await mirrors.fetch(target)
    assert await mirrors.changed(target, before, after) == ["b", "c"]
    assert await mirrors.changed(target, "0" * 40, after) is None


HOSTS = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "gitea.example.org": "gitea",
    "bitbucket.org": "bitbucket_cloud",
    "bb.example.org": "bitbucket_server",
    "dev.azure.com": "azure",
    HOST: "local",
}


@pytest.mark.parametrize(
    ("url", "repository", "ref", "path"),
    [
        ("https://github.com/o/r/blob/main/a/b.yaml", "o/r", "main", "a/b.yaml"),
        ("https://github.com/o/r", "o/r", "", ""),
        ("https://gitlab.com/g/s/r/-/blob/v1/x.yaml", "g/s/r", "v1", "x.yaml"),
        ("https://gitea.example.org/o/r/src/branch/main/x", "o/r", "main", "x"),
        ("https://bitbucket.org/w/r/src/main/x.yaml", "w/r", "main", "x.yaml"),
        (
            "https://bb.example.org/projects/P/repos/r/browse/x.yaml?at=main",
            "P/repos/r",
            "main",
            "x.yaml",
        ),
        (
            "https://dev.azure.com/o/p/_git/r?path=/x.yaml&version=GBmain",
            "o/p/_git/r",
            "main",
            "x.yaml",
        ),
        (f"https://{HOST}/payments/tree/main/", "payments", "main", ""),
    ],
)
def test_web_addresses_are_understood(
    url: str, repository: str, ref: str, path: str
) -> None:
    """Each host's own way of writing a file's place is translated."""
    target = parse_url(url, HOSTS)
    assert target is not None
    assert (target.repository, target.ref, target.path) == (repository, ref, path)


def test_other_hosts_are_not_git() -> None:
    """A host without an integration is read over HTTP, or not at all."""
    assert parse_url("https://elsewhere.example.org/a/b/blob/main/c", HOSTS) is None
