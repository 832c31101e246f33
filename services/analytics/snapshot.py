"""The tables in a file, for an event log that forgets."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from services.analytics.tables import WindowedCounts

NAME = "tables.json"


async def save(file: Path, tables: Iterable[WindowedCounts]) -> None:
    """Write all rows, whole or not at all.

    Raises:
        OSError: if they cannot be written.
    """
    document = {table.name: table.dump() for table in tables}
    await asyncio.to_thread(_write, file, orjson.dumps(document))


async def restore(file: Path, tables: Iterable[WindowedCounts]) -> None:
    """Fill tables that are empty with the rows of a file, if there is one."""
    document = await asyncio.to_thread(_read, file)
    for table in tables:
        table.fill(document.get(table.name, []))


def _write(file: Path, raw: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(raw)
    part.replace(file)


def _read(file: Path) -> dict[str, Any]:
    try:
        document = orjson.loads(file.read_bytes())
    except (OSError, ValueError):
        # None yet, or one that was cut off: counting begins anew.
        return {}
    return document if isinstance(document, dict) else {}
