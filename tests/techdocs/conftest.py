"""A techdocs for each test, on the real document store and real Git."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.techdocs.installation import Installation, Running


@pytest.fixture
def installation(tmp_path: Path, mongodb: str, secret: str) -> Installation:
    return Installation(tmp_path, mongodb, secret)


@pytest.fixture
async def techdocs(installation: Installation) -> AsyncIterator[Running]:
    async with installation.start() as running:
        yield running
