"""Files of this machine: as far as the allowed folders go, whatever links there are."""

import contextlib
import os
from pathlib import Path

import pytest

from services.catalog.model import LocationRef
from services.catalog.readers.files import FileReader
from shared.contracts.errors import CallboardError, Forbidden, Invalid, NotFound


def at(path: Path | str) -> LocationRef:
    return LocationRef("file", str(path))


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    """An allowed folder, beside one of almost the same name and a file."""
    for name in ("in", "in-secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(name)
    return tmp_path / "in"


async def test_links_cannot_leave_the_allowed_folders(allowed: Path) -> None:
    """Links of files and of folders, cycles, and `..` behind a link."""
    secret = allowed.parent / "in-secret"
    (allowed / "deep").mkdir()
    (allowed / "file.yaml").symlink_to(secret / "a.yaml")
    (allowed / "relative.yaml").symlink_to("../in-secret/a.yaml")
    (allowed / "folder").symlink_to(secret)
    (allowed / "chain").symlink_to("folder")
    (allowed / "inner.yaml").symlink_to("a.yaml")
    (allowed / "up").symlink_to("deep")
    reader = FileReader([allowed])
    for path in (
        "file.yaml",
        "relative.yaml",
        "folder/a.yaml",
        "chain/a.yaml",
        "up/../../in-secret/a.yaml",
        "../in-secret/a.yaml",
    ):
        with pytest.raises(Forbidden):
            await reader.read(at(f"{allowed}/{path}"), None)
    assert (await reader.read(at(allowed / "inner.yaml"), None)).body == b"in"
    for pattern in ("**/*.yaml", "folder/*.yaml"):
        try:
            matching = await reader.matching(at(f"{allowed}/{pattern}"))
        except Forbidden:
            continue
        for location in matching:
            if Path(location.target).resolve().is_relative_to(allowed.resolve()):
                continue
            with pytest.raises(Forbidden):
                await reader.read(location, None)


async def test_an_allowed_folder_may_be_a_link(allowed: Path) -> None:
    """Its real path is compared; files below it may be named either way."""
    link = allowed.parent / "link"
    link.symlink_to(allowed)
    reader = FileReader([link])
    for folder in (link, allowed):
        assert (await reader.read(at(folder / "a.yaml"), None)).body == b"in"
    with pytest.raises(Forbidden):
        await reader.read(at(link / ".." / "in-secret" / "a.yaml"), None)


async def test_only_regular_files_are_read(allowed: Path) -> None:
    """Reading does not block on a pipe; unusual paths are reported as errors."""
    os.mkfifo(allowed / "pipe.yaml")
    reader = FileReader([allowed])
    before = _descriptors()
    for path, kind in {
        "pipe.yaml": Invalid,
        "": Invalid,
        "none.yaml": NotFound,
        "a.yaml/b.yaml": NotFound,
        "x" * 5_000: Invalid,
        "a\0b": Invalid,
    }.items():
        with pytest.raises(kind):
            await reader.read(at(f"{allowed}/{path}"), None)
        for pattern in (f"{allowed}/{path}*", f"{allowed}/{path}/*.yaml"):
            with contextlib.suppress(CallboardError):
                await reader.matching(at(pattern))
    assert _descriptors() <= before


def _descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def test_a_folder_path_suggests_a_descriptor_path(allowed: Path) -> None:
    """The error names a descriptor in the folder."""
    for written in (str(allowed), f"{allowed}/"):
        with pytest.raises(Invalid) as caught:
            await FileReader([allowed]).read(at(written), None)
        message = caught.value.message
        assert message.startswith(f"{written} is a folder, not a file")
        assert message.endswith(f"such as {allowed}/catalog-info.yaml")
