"""Trees of raw repositories, and the folders that they are exported to."""

import os
from collections.abc import Mapping
from pathlib import Path

from shared.guards.foreign_trees import TreeLimits
from shared.kit.git.trees import ExportedTree, GitTrees
from tests.rawtrees import (
    FILE,
    FOLDER,
    LINK,
    Line,
    RawRepository,
)


async def export(
    repository: RawRepository,
    folder: Path,
    prefix: str = "",
    *,
    follows: bool = False,
    limits: TreeLimits | None = None,
) -> ExportedTree:
    trees = GitTrees(repository.folder, {})
    return await trees.export(
        "main", prefix, folder, limits=limits or TreeLimits(), follows=follows
    )


def contents(folder: Path) -> dict[str, str]:
    """Each file's content, a link's with an arrow before its target."""
    contents_by_path = {}
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(parent, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                contents_by_path[relative] = f"-> {path.readlink()}"
            elif path.is_file():
                contents_by_path[relative] = path.read_text()
    return contents_by_path


def tree_of(repository: RawRepository, files: Mapping[str, str | tuple[str]]) -> str:
    """The tree of these files; a tuple holds the target of a link."""
    lines: list[Line] = []
    for name in sorted({path.partition("/")[0] for path in files}):
        below = {
            path[len(name) + 1 :]: content
            for path, content in files.items()
            if path.startswith(f"{name}/")
        }
        if below:
            lines.append((FOLDER, name.encode(), tree_of(repository, below)))
        elif isinstance(content := files[name], tuple):
            lines.append((LINK, name.encode(), repository.blob(content[0])))
        else:
            lines.append((FILE, name.encode(), repository.blob(content)))
    return repository.tree(lines)


LINKED: Mapping[str, str | tuple[str]] = {
    "README.md": "# Read\n",
    "kit/service/README.md": ("../README.md",),
    "kit/README.md": "# Kit\n",
    "kit/service/build.mk": ("../../shared/build.mk",),
    "kit/gone": ("service/none",),
    "shared/build.mk": "all:\n",
    "way": ("kit",),
    "evil/passwd": ("/etc/passwd",),
    "evil/up": ("../../x",),
}
