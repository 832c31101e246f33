"""`fs:rename`: renames files and folders within the workspace."""

import functools
import shutil
from typing import Any

from services.scaffolder.action import (
    Action,
    ActionContext,
    flag,
    members,
    step,
    text,
)
from shared.contracts.errors import Conflict, Invalid, NotFound


async def _run(context: ActionContext) -> None:
    for file in context.input["files"]:
        await context.in_thread(functools.partial(_rename, context, file))


def _rename(context: ActionContext, file: dict[str, Any]) -> None:
    workspace = context.workspace
    source, target = workspace.path(file["from"]), workspace.path(file["to"])
    root = workspace.root.resolve()
    if root in (source.resolve(), target.resolve()):
        raise Invalid("files: the workspace itself cannot be renamed")
    if not source.exists():
        if context.is_resumed and target.exists():
            # The process died after this one was renamed.
            return
        raise NotFound(f"files: no such file or directory, '{file['from']}'")
    if target.exists():
        if not file.get("overwrite"):
            raise Conflict(
                f"files: dest already exists, '{file['to']}' (overwrite is not set)"
            )
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError as error:
        raise Invalid(
            f"files: '{file['from']}' cannot become '{file['to']}'"
        ) from error
    context.log(f"File {file['from']} renamed to {file['to']} successfully")


ACTION = Action(
    id="fs:rename",
    description="Renames files and folders within the workspace.",
    run=_run,
    input=members(
        {
            "files": {
                "type": "array",
                "description": "What becomes what.",
                "items": members(
                    {
                        "from": text("The file or folder as it is called now."),
                        "to": text("What it is to be called."),
                        "overwrite": flag("Replace what is there; false by default."),
                    },
                    required=["from", "to"],
                ),
            }
        },
        required=["files"],
    ),
    examples=[
        step(
            "fs:rename",
            "Rename two files",
            "files:\n  - from: a.txt\n    to: b.txt\n"
            "  - from: old\n    to: new\n    overwrite: true",
        )
    ],
    supports_dry_run=True,
)
