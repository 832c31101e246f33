"""Images of the recipe, built in folders."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.deploy.dockerfile import DOCKERFILE, ROOT, Image, Recipe

#: What of a Debian without packages of its own the steps and the services call.
TOOLS = ("sh", "env", "install", "rm", "mkdir", "cp")


def tools(folder: Path, names: tuple[str, ...]) -> str:
    """A PATH with these programs and this Python, and nothing else."""
    folder.mkdir(parents=True)
    for name in names:
        program = shutil.which(name)
        assert program, f"{name} is needed to try the images' recipe"
        (folder / name).symlink_to(program)
    python = folder / "python"
    # Not a link: a venv made through one would look for its library beside it.
    python.write_text(f'#!/bin/sh\nexec {sys._base_executable} "$@"\n')  # type: ignore[attr-defined]
    python.chmod(0o755)
    return str(folder)


def recipe(service: str, folder: Path) -> Recipe:
    """The recipe for one service, to be built below `folder`."""
    path = tools(folder / "tools", TOOLS)
    return Recipe(ROOT, DOCKERFILE, folder / "stages", path, SERVICE=service)


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The operator's image, built once."""
    return recipe("operator", tmp_path_factory.mktemp("operator")).build()
