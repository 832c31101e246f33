"""The actions for authors who look for a mistake."""

import pytest

from shared.contracts.errors import (
    Invalid,
)
from tests.scaffolder.workbench import Bench


async def test_the_duration_of_a_wait_is_limited(bench: Bench) -> None:
    """Ten minutes, and not backwards."""
    for seconds in (-1, 601):
        with pytest.raises(Invalid, match="between 0 and 600"):
            await bench.run("debug:wait", seconds=seconds)
