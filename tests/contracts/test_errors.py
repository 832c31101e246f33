"""What people see of an error."""

import shutil
from pathlib import Path

import pytest

from shared.contracts.errors import Invalid, message_of


def test_the_message_of_an_oserror_has_no_path(tmp_path: Path) -> None:
    """Neither of one file nor of a tree that cannot be copied."""
    broken = tmp_path / "tree" / "broken"
    broken.parent.mkdir()
    broken.symlink_to("nowhere")
    with pytest.raises(FileNotFoundError) as missing:
        (tmp_path / "missing").read_text()
    with pytest.raises(shutil.Error) as copying:
        shutil.copytree(broken.parent, tmp_path / "copy")
    assert message_of(missing.value) == "No such file or directory"
    assert message_of(copying.value) == "Error"


def test_messages_of_other_errors_stay() -> None:
    """An error without any has its type."""
    assert message_of(Invalid("name: is missing")) == "name: is missing"
    assert message_of(TimeoutError("took over 3 s")) == "took over 3 s"
    assert message_of(ValueError()) == "ValueError"
    assert message_of(OSError()) == "OSError"
