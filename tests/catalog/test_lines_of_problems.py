"""The lines that problems of a file are at."""

from pathlib import Path
from typing import Any

from tests import builders
from tests.catalog.running import Host, pointing, running

FILE = "catalog-info.yaml"


async def test_lines_are_right_where_a_location_names_its_own_file(
    database: Any, data: Path, host: Host
) -> None:
    """The Location is no document of that reading, but one of the file."""
    wrong = [builders.component(name, {"tags": ["NO"]}) for name in ("one", "two")]
    documents = [wrong[0], pointing("all", f"./{FILE}"), wrong[1]]
    host.commit("shop", {FILE: documents})
    text = (host.copies / "shop" / FILE).read_text().split("\n")
    lines = [number for number, line in enumerate(text, 1) if "NO" in line]
    async with running(database, data, host.config()) as catalog:
        await catalog.register(host.url("shop"))
        messages = await catalog.problems("all")
    assert len(messages) == len(lines) == 2
    for line, name, message in zip(lines, ("one", "two"), messages, strict=True):
        assert f"component:default/{name}" in message
        assert f"(line {line} of {FILE})" in message
