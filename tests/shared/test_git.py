"""Repositories on a local host: read, made, pushed to; web addresses both ways."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.errors import (
    CallboardError,
    Conflict,
    Invalid,
    NotFound,
    Unavailable,
)
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.git.access import REPOSITORY
from shared.kit.git.command import run_git
from shared.kit.git.mirrors import RepositoryMirrors

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
    """A pushed file is read back by its address, with author and message."""
    files = {"catalog-info.yaml": "kind: Component\n", "docs/index.md": "# Hi\n"}
    sha = await pushed(mirrors, written(tmp_path / "work", files))
    target = mirrors.locate(f"https://{HOST}/payments/blob/main/catalog-info.yaml")
    assert target is not None
    assert await mirrors.fetch(target) == sha
    assert await mirrors.read(target, sha, target.path) == b"kind: Component\n"
    assert list(await mirrors.list_paths(target, sha)) == [
        "catalog-info.yaml",
        "docs/index.md",
    ]
    commit = await mirrors.commit_info(target, sha)
    assert (commit.author, commit.subject) == ("Ann Example", "First")
    assert await mirrors.repositories(HOST) == {"payments": "main"}


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
    """A repository cannot make a service read or write outside of it."""
    work = written(tmp_path / "work", {"docs/a.md": "text"})
    (work / "docs" / "passwords").symlink_to("/etc/passwd")
    sha = await pushed(mirrors, work)
    target = mirrors.target(HOST, "payments", "main")
    with pytest.raises(Invalid, match="path"):
        await mirrors.export(target, sha, "docs", tmp_path / "out")


@pytest.mark.parametrize("path", ["../secret", "a/../../b", "docs\n/x", "a\r"])
async def test_an_unsafe_path_in_a_repository_is_refused(
    mirrors: RepositoryMirrors, tmp_path: Path, path: str
) -> None:
    """A path with `..` or a line break can be neither read nor exported."""
    sha = await pushed(mirrors, written(tmp_path / "work", {"a": "1"}))
    target = mirrors.target(HOST, "payments", "main")
    with pytest.raises(Invalid, match="path: "):
        await mirrors.read(target, sha, path)
    with pytest.raises(Invalid, match="path: "):
        await mirrors.export(target, sha, path, tmp_path / "out")


async def test_a_missing_repository_ref_or_file_is_not_found(
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


async def test_a_repository_is_created_once(mirrors: RepositoryMirrors) -> None:
    """A second one of the name is a conflict; a name with a path is refused."""
    await mirrors.create(HOST, "orders")
    with pytest.raises(Conflict):
        await mirrors.create(HOST, "orders")
    for name in ("../orders", "a/b", "-x", ""):
        with pytest.raises(Invalid):
            await mirrors.create(HOST, name)


async def test_a_branch_with_slashes_is_found_escaped_or_not(
    mirrors: RepositoryMirrors, tmp_path: Path
) -> None:
    """The longest branch or tag that exists; later lookups need no Git call."""
    work = written(tmp_path / "work", {"a/x.yaml": "one", "x.yaml": "top"})
    sha = await pushed(mirrors, work)
    bare = tmp_path / "host" / "payments.git"
    for name in ("heads/release/v3", "heads/fix/#1", "tags/v1", "heads/main2"):
        command = ["git", "update-ref", f"refs/{name}", sha]
        subprocess.run(command, cwd=bare, check=True)
    root = f"https://{HOST}/payments/blob"
    for address, ref, path in (
        (f"{root}/release/v3/a/x.yaml", "release/v3", "a/x.yaml"),
        (f"{root}/release%2Fv3/x.yaml", "release/v3", "x.yaml"),
        (f"{root}/fix/%231/x.yaml", "fix/#1", "x.yaml"),
        (f"{root}/v1/a/x.yaml", "v1", "a/x.yaml"),
        (f"{root}/main/a/x.yaml", "main", "a/x.yaml"),
        (f"{root}/main2/x.yaml", "main2", "x.yaml"),
        (f"{root}/HEAD/x.yaml", "", "x.yaml"),
        (f"{root}/{sha}/x.yaml", sha, "x.yaml"),
        (f"{root}/refs%2Fheads%2Fmain/x.yaml", "main", "x.yaml"),
    ):
        target = mirrors.locate(address)
        assert target is not None
        resolved, commit = await mirrors.resolve(target)
        assert (resolved.ref, resolved.path, commit) == (ref, path, sha)
        assert mirrors.locate(address) == resolved
        assert mirrors.locate(resolved.url()) == resolved


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (
            "release/v4/x.yaml",
            "no ref release, and no branch or tag with a longer name",
        ),
        ("nothing/", "has no ref nothing"),
        ("--upload-pack=x/a", "no ref --upload-pack=x"),
        ("main:refs/a", "no ref main:refs"),
        ("main~1/a", "no ref main~1"),
        ("main^{commit}/a", "no ref main"),
    ],
)
async def test_an_address_with_an_unknown_ref_is_not_found(
    mirrors: RepositoryMirrors, tmp_path: Path, address: str, reason: str
) -> None:
    """The error names the ref, also where no ref can have such a name."""
    await pushed(mirrors, written(tmp_path / "work", {"x.yaml": "one"}))
    target = mirrors.locate(f"https://{HOST}/payments/blob/{address}")
    assert target is not None
    with pytest.raises(NotFound) as raised:
        await mirrors.resolve(target)
    assert reason in raised.value.message


async def test_names_of_other_hosts_have_mirrors_of_their_own(tmp_path: Path) -> None:
    """Spaces, dots and tildes; the folder stays below the mirrors' root."""
    hosts = Integrations.model_validate(
        {
            "azure": [{"host": "dev.azure.com"}],
            "github": [{"host": "GitHub.com"}],
            "bitbucketServer": [{"host": "bb.example.org"}],
        }
    )
    mirrors = RepositoryMirrors(tmp_path, hosts)
    places = {
        mirrors._mirror(mirrors.target(host, repository, ""))
        for host, repository in (
            ("dev.azure.com", "o/My Team/_git/r"),
            ("dev.azure.com", "o/My%20Team/_git/r"),
            ("github.com", "o/.github"),
            ("github.com", "o/github"),
            ("bb.example.org", "~jane/repos/r"),
        )
    }
    assert len(places) == 5
    assert all(place.is_relative_to(tmp_path) for place in places)
    for name in (
        "../x",
        "o/..",
        "o/.",
        "o//r",
        "-o/r",
        "o/a\\b",
        "o/\0",
        "a.git/b",
        "",
    ):
        with pytest.raises(Invalid):
            mirrors._mirror(mirrors.target("github.com", name, ""))


async def test_errors_of_git_have_no_path_of_this_machine(tmp_path: Path) -> None:
    """The file's name alone; web addresses stay whole."""
    missing = tmp_path / "secret-folder" / "missing.git"
    for address in (str(missing), f"file://{missing}"):
        with pytest.raises(CallboardError, match=r"missing\.git") as error:
            await run_git(["ls-remote", address], cwd=tmp_path)
        assert "secret-folder" not in str(error.value)
    with pytest.raises(Unavailable, match=r"'http://127\.0\.0\.1:1/a/b\.git/'"):
        await run_git(["ls-remote", "http://127.0.0.1:1/a/b.git"], cwd=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["cat-file", "-p", "0" * 40], {}),
        (["rev-parse", "--verify", "none"], {}),
        (["--version"], {"limit": 1}),
        (["--version"], {"seconds": 0.0}),
        (["cat-file", "-p", "0" * 40], {"conflict_text": "fatal"}),
    ],
)
async def test_every_error_of_a_command_names_the_repository(
    tmp_path: Path, arguments: list[str], options: dict[str, Any]
) -> None:
    """Whatever Git says, or does not say before its time or size is over."""
    environment = {REPOSITORY: "shop at git.example"}
    await run_git(["init", "--quiet", "--bare", tmp_path])
    with pytest.raises(CallboardError, match=r"^shop at git\.example: ") as raised:
        await run_git(arguments, cwd=tmp_path, environment=environment, **options)
    assert "fatal" not in raised.value.message
