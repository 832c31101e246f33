"""`fs:rename`: renames files and folders within the workspace."""

import functools

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    flag,
    members,
    step,
    text,
)
from services.scaffolder.model import JsonObject
from shared.contracts.errors import Conflict, Invalid, NotFound
from shared.guards.foreign_paths import normalise


async def _run(context: ActionContext) -> None:
    for file in context.input["files"]:
        await context.in_thread(functools.partial(_rename, context, file))


def _rename(context: ActionContext, file: JsonObject) -> None:
    workspace = context.workspace
    source, target = file["from"], file["to"]
    if not normalise(source) or not normalise(target):
        raise Invalid("files: the workspace itself cannot be renamed")
    is_taken = workspace.status(target) is not None
    if workspace.status(source) is None:
        if context.is_resumed and is_taken:
            # The process died after it had renamed this one.
            return
        raise NotFound(f"files: no such file or directory, '{source}'")
    if is_taken and not file.get("overwrite"):
        raise Conflict(f"files: dest already exists, '{target}' (overwrite is not set)")
    try:
        if is_taken:
            workspace.replace(source, target)
        else:
            workspace.rename(source, target)
    except Invalid as error:
        reason = f"'{source}' cannot become '{target}': {error.message}"
        raise Invalid(f"files: {reason}") from error
    except OSError as error:
        raise Invalid(f"files: '{source}' cannot become '{target}'") from error
    context.log(f"File {file['from']} renamed to {file['to']} successfully")


ACTION = Action(
    id="fs:rename",
    description="Renames files and folders within the workspace.",
    run=_run,
    input=members(
        {
            "files": {
                "type": "array",
                "maxItems": 1_000,
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
