"""Files that a person names are read if they are files, and nothing is waited for."""

import os
import socket
from pathlib import Path

import pytest

from shared.guards.regular_files import read_regular_file


def test_a_regular_file_is_read_also_through_a_link(tmp_path: Path) -> None:
    """Whole, or its beginning."""
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_regular_file(tmp_path / "link") == b"content"
    assert read_regular_file(tmp_path / "link", 3) == b"con"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "folder", "loop", "none"])
def test_what_is_no_regular_file_is_an_error(tmp_path: Path, kind: str) -> None:
    """At once, as the system's error."""
    path = tmp_path / "x"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "socket":
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(path))
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to("x")
    with pytest.raises(OSError, match=r"^\[Errno \d+\] \w+ .*'.*/x'$"):
        read_regular_file(path, 10)
