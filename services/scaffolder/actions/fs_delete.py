"""`fs:delete`: deletes files and folders of the workspace."""

import functools
import shutil

from services.scaffolder.action import Action, ActionContext, members, step
from shared.contracts.errors import Invalid


async def _run(context: ActionContext) -> None:
    for name in context.input["files"]:
        await context.in_thread(functools.partial(_delete, context, name))


def _delete(context: ActionContext, name: str) -> None:
    path = context.workspace.path(name)
    if path.resolve() == context.workspace.root.resolve():
        raise Invalid("files: the workspace itself cannot be deleted")
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()
    else:
        context.log(f"File {name} is not there")
        return
    context.log(f"File {name} deleted successfully")


ACTION = Action(
    id="fs:delete",
    description="Deletes files and folders of the workspace.",
    run=_run,
    input=members(
        {
            "files": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Files and folders, relative to the workspace.",
            }
        },
        required=["files"],
    ),
    examples=[
        step("fs:delete", "Delete a file and a folder", "files: [a.txt, drafts]")
    ],
    supports_dry_run=True,
)
