"""A raw repository for who tests Git."""

from pathlib import Path

import pytest

from tests.rawtrees import RawRepository


@pytest.fixture
def raw(tmp_path: Path) -> RawRepository:
    return RawRepository(tmp_path / "raw.git")
