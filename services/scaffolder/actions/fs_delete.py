"""`fs:delete`: deletes files and folders of the workspace."""

import functools
import os
import shutil
from pathlib import Path

from services.scaffolder.action import Action, ActionContext, members, step
from services.scaffolder.workspace import FILES_LIMIT
from shared.contracts.errors import Invalid, TooLarge
from shared.guards.globs import Glob, is_pattern


async def _run(context: ActionContext) -> None:
    for name in context.input["files"]:
        await context.in_thread(functools.partial(_delete, context, name))


def _delete(context: ActionContext, name: str) -> None:
    """Delete a file or folder of this name; without one, what the name matches."""
    if not name.strip("/"):
        # An expression that came to nothing must not empty the workspace.
        raise Invalid("files: must not hold an empty name; `.` empties the workspace")
    path, root = context.workspace.path(name), context.workspace.root.resolve()
    if path == root:
        for child in sorted(root.iterdir()):
            _remove(child)
        context.log("Everything in the workspace deleted successfully")
    elif path.exists() or path.is_symlink():
        _remove(path)
        context.log(f"File {name} deleted successfully")
    elif is_pattern(name):
        _delete_matching(context, root, Glob(name, dot=True, label="files"))
    else:
        context.log(f"File {name} is not there")


def _delete_matching(context: ActionContext, root: Path, glob: Glob) -> None:
    selected = glob.select(_everything(root))
    for relative in selected:
        # What lay in a folder that matched, too, is gone with it.
        if _remove(root / relative):
            context.log(f"File {relative} deleted successfully")
    if not selected:
        context.log(f"Nothing matches {glob.pattern}")


def _everything(root: Path) -> list[str]:
    """Files and folders, relative and in order; links are not followed.

    Raises:
        TooLarge: if there are too many.
    """
    paths: list[str] = []
    for parent, folders, names in os.walk(root):
        below = Path(parent).relative_to(root)
        paths += [(below / name).as_posix() for name in [*folders, *names]]
        if len(paths) > FILES_LIMIT:
            raise TooLarge(f"files: over {FILES_LIMIT} files in the workspace")
    return sorted(paths)


def _remove(path: Path) -> bool:
    """Delete a file, a link itself or a whole folder; False if it is gone already."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return True
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


ACTION = Action(
    id="fs:delete",
    description="Deletes files and folders of the workspace.",
    run=_run,
    input=members(
        {
            "files": {
                "type": "array",
                "items": {"type": "string"},
                "description": (
                    "Files and folders, relative to the workspace, or patterns of them "
                    "(hidden ones included); `.` empties the workspace."
                ),
            }
        },
        required=["files"],
    ),
    examples=[
        step("fs:delete", "Delete a file and a folder", "files: [a.txt, drafts]"),
        step("fs:delete", "Delete by patterns", 'files: ["base/helm_*", "**/*.tmp"]'),
    ],
    supports_dry_run=True,
)
