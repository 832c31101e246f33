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


async def test_links_lead_no_further_than_the_allowed_folders(allowed: Path) -> None:
    """Of a file, of a folder, of a ring, and by `..` behind a link."""
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


async def test_an_allowed_folder_may_be_a_link_itself(allowed: Path) -> None:
    """It is compared where it really is; what lies there may be named both ways."""
    link = allowed.parent / "link"
    link.symlink_to(allowed)
    reader = FileReader([link])
    for folder in (link, allowed):
        assert (await reader.read(at(folder / "a.yaml"), None)).body == b"in"
    with pytest.raises(Forbidden):
        await reader.read(at(link / ".." / "in-secret" / "a.yaml"), None)


async def test_only_files_are_read(allowed: Path) -> None:
    """Nobody waits for a pipe; odd paths are errors of the one who wrote them."""
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


async def test_a_folder_says_what_to_enter(allowed: Path) -> None:
    """The path of a descriptor in it, not the words of the operating system."""
    for written in (str(allowed), f"{allowed}/"):
        with pytest.raises(Invalid) as caught:
            await FileReader([allowed]).read(at(written), None)
        message = caught.value.message
        assert message.startswith(f"{written} is a folder, not a file")
        assert message.endswith(f"such as {allowed}/catalog-info.yaml")
