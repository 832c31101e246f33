"""Sources in a folder: of `file:` templates and dry runs, and no way out of it."""

from pathlib import Path
from typing import Any

import pytest

from services.scaffolder.store.sources import UrlSources
from services.scaffolder.workspace.folder_sources import (
    FolderSources,
    copy_folder,
    folder_of,
    is_absolute,
    read_file,
)
from shared.contracts.errors import CallboardError, Forbidden, Invalid, NotFound


class Elsewhere:
    """The sources of everything that is not relative; records the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str | None]] = []

    def location(self, url: str, base: str | None) -> str:
        self.calls.append(("location", url, base))
        return f"url:{url}"

    async def missing(self, url: str, base: str | None) -> CallboardError:
        self.calls.append(("missing", url, base))
        return NotFound("missing")

    async def tree(
        self, url: str, base: str | None, folder: Path, *, hidden: object = None
    ) -> list[str]:
        del folder, hidden
        self.calls.append(("tree", url, base))
        return ["a note"]

    async def file(self, url: str, base: str | None, *, hidden: object = None) -> bytes:
        del hidden
        self.calls.append(("file", url, base))
        return b"remote"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "template"
    (folder / "skeleton/deep").mkdir(parents=True)
    (folder / "template.yaml").write_text("t")
    (folder / "skeleton/a.txt").write_text("a")
    (folder / "skeleton/deep/run.sh").write_text("b")
    (folder / "skeleton/deep/run.sh").chmod(0o755)
    (tmp_path / "secret").write_text("mine")
    return folder


def listed(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    )


async def test_a_folder_is_copied_with_its_file_modes(
    root: Path, tmp_path: Path
) -> None:
    """All files below it, executable ones too."""
    await copy_folder(root, "./skeleton", tmp_path / "copy")
    assert listed(tmp_path / "copy") == ["a.txt", "deep/run.sh"]
    assert (tmp_path / "copy/deep/run.sh").stat().st_mode & 0o100


async def test_gits_own_folders_beside_a_template_are_noted(
    root: Path, tmp_path: Path
) -> None:
    """A `file:` template and a dry run leave them out, and say so."""
    (root / "skeleton/deep/.git").mkdir()
    (root / "skeleton/deep/.git/config").write_text("[core]")
    note = "Left out as Git's own folders: 'deep/.git'"
    assert await copy_folder(root, "./skeleton", tmp_path / "copy") == (note,)
    assert listed(tmp_path / "copy") == ["a.txt", "deep/run.sh"]
    dry = FolderSources(root, None)  # type: ignore[arg-type]
    assert await dry.tree("./skeleton", None, tmp_path / "dry") == (note,)
    urls = UrlSources(None)  # type: ignore[arg-type]
    base = f"file://{root}/template.yaml"
    assert await urls.tree("./skeleton", base, tmp_path / "file") == (note,)


async def test_a_relative_address_may_be_escaped(root: Path, tmp_path: Path) -> None:
    """As in a repository."""
    (root / "with space").mkdir()
    (root / "with space/50%.txt").write_text("half")
    await copy_folder(root, "./with%20space", tmp_path / "copy")
    assert listed(tmp_path / "copy") == ["50%.txt"]
    assert await read_file(root, "with%20space/50%25.txt") == b"half"
    assert await read_file(root, "with space/50%.txt") == b"half"


@pytest.mark.parametrize(
    "path",
    ["..", "../secret", "skeleton/../..", "/etc", "%2e%2e/secret", "..%2fx", "%2Fetc"],
)
async def test_no_path_leads_out_of_the_folder(
    root: Path, tmp_path: Path, path: str
) -> None:
    """Neither for a folder nor for a file."""
    with pytest.raises(Forbidden):
        await copy_folder(root, path, tmp_path / "copy")
    with pytest.raises(Forbidden):
        await read_file(root, path)


async def test_a_link_that_leads_out_is_refused_by_name(
    root: Path, tmp_path: Path
) -> None:
    """Nothing is copied then."""
    (root / "skeleton/out").symlink_to("../../secret")
    with pytest.raises(Invalid, match="skeleton/out"):
        await copy_folder(root, "skeleton", tmp_path / "copy")
    with pytest.raises(Invalid, match="skeleton/out"):
        await read_file(root, "skeleton/out")
    assert not (tmp_path / "copy").exists()


async def test_a_link_within_the_folder_is_followed_for_a_file(root: Path) -> None:
    """And stays a link in a copied folder."""
    (root / "same").symlink_to("skeleton/a.txt")
    assert await read_file(root, "same") == b"a"


async def test_a_missing_path_is_named_as_in_the_template(
    root: Path, tmp_path: Path
) -> None:
    """Without a path of the server."""
    with pytest.raises(
        NotFound, match=r"no folder '\./no' beside the template"
    ) as folder:
        await copy_folder(root, "./no", tmp_path / "copy")
    with pytest.raises(
        NotFound, match=r"no file 'no\.txt' beside the template"
    ) as file:
        await read_file(root, "no.txt")
    assert str(tmp_path) not in folder.value.message + file.value.message


async def test_a_dry_run_reads_relative_urls_in_its_folder(
    root: Path, tmp_path: Path
) -> None:
    """And others elsewhere, without a base: that is the folder."""
    elsewhere = Elsewhere()
    sources: Any = FolderSources(root, elsewhere)
    assert await sources.tree("./skeleton", "ignored", tmp_path / "copy") == ()
    assert await sources.file("skeleton/a.txt", "ignored") == b"a"
    assert elsewhere.calls == []
    assert await sources.tree("https://h/x", "ignored", tmp_path / "x") == ["a note"]
    assert await sources.file("https://h/x", "ignored") == b"remote"
    assert sources.location("https://h/x", "ignored") == "url:https://h/x"
    assert elsewhere.calls == [
        ("tree", "https://h/x", None),
        ("file", "https://h/x", None),
        ("location", "https://h/x", None),
    ]


async def test_location_and_error_of_a_relative_url_are_delegated(
    root: Path,
) -> None:
    """The underlying sources know the address of the base."""
    elsewhere = Elsewhere()
    sources: Any = FolderSources(root, elsewhere)
    sources.location("./x", "file:///t.yaml")
    await sources.missing("./x", "file:///t.yaml")
    assert elsewhere.calls == [
        ("location", "./x", "file:///t.yaml"),
        ("missing", "./x", "file:///t.yaml"),
    ]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/x", True),
        ("http://h", True),
        ("./x", False),
        ("x/y", False),
        ("", False),
    ],
)
def test_an_address_of_the_web_is_absolute(url: str, expected: bool) -> None:
    """All else is relative to the template."""
    assert is_absolute(url) is expected


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h/x", "data:,x", "git:x"])
def test_other_schemes_are_refused(url: str) -> None:
    """Files of the machine have no address for templates."""
    with pytest.raises(Forbidden, match="neither relative nor http"):
        is_absolute(url)


def test_only_a_file_location_has_a_local_template_folder() -> None:
    """Only a `file:` address has one."""
    assert folder_of("file:///srv/t/template.yaml") == Path("/srv/t")
    for base in ("https://h/t.yaml", "file:", "/srv/t.yaml"):
        with pytest.raises(Invalid, match="baseUrl"):
            folder_of(base)
