"""Sites that mkdocs builds for a test."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.techdocs.model import Generated

CONFIG = "site_name: Docs\nplugins: [techdocs-core]\n"
FOLDERS = ("source", "out", "record")
Make = Callable[..., Any]


def page(generated: Generated, name: str = "index.html") -> str:
    return (Path(generated.out) / name).read_text()


def summary(generated: Generated) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(
        (Path(generated.record) / "site.json").read_text()
    )
    return result


def set_aside(folder: Path) -> None:
    """Rename the folders of a build: the next one begins in new ones."""
    for name in FOLDERS:
        (folder / name).rename(folder / f"{name}-1")
