"""`workspace:template`: renders a folder of the workspace into the workspace."""

import shutil
from pathlib import Path

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    flag,
    members,
    step,
    text,
)
from services.scaffolder.actions.fetch_template import (
    COOKIECUTTER,
    COPIED,
    EXTENSION,
    LSTRIP,
    TRIM,
    VALUES,
    render,
    rules_of,
)
from services.scaffolder.workspace.folder import Workspace, copy_tree
from shared.contracts.errors import NotFound


async def _run(context: ActionContext) -> None:
    source, target = context.input["sourcePath"], context.input["targetPath"]
    workspace = context.workspace
    workspace.path(target)
    rules = await context.in_thread(lambda: rules_of(context.input))
    scratch = await context.in_thread(workspace.scratch)
    try:
        await context.in_thread(lambda: _copy(workspace, source, scratch))
        written = await context.in_thread(
            lambda: render(context, scratch, target, rules)
        )
    finally:
        await context.in_thread(lambda: shutil.rmtree(scratch, ignore_errors=True))
    context.log(f"Wrote {len(written)} files from the template")


def _copy(workspace: Workspace, source: str, scratch: Path) -> None:
    """Copy a folder of the workspace: the result may lie in the folder itself."""
    folder = workspace.folder(source)
    if folder is None:
        raise NotFound(f"sourcePath: no such folder, '{source}'")
    copy_tree(workspace.root / folder, Workspace(scratch), ".")


ACTION = Action(
    id="workspace:template",
    description=(
        "Renders the names and contents of the files in a folder of the workspace, and "
        "puts the result into a folder of the workspace."
    ),
    run=_run,
    input=members(
        {
            "sourcePath": text("The folder of the workspace to render."),
            "targetPath": text("Where in the workspace to put the result."),
            "values": VALUES,
            "copyWithoutTemplating": COPIED,
            "cookiecutterCompat": COOKIECUTTER,
            "templateFileExtension": EXTENSION,
            "replace": flag("Replace files that are there instead of keeping them."),
            "trimBlocks": TRIM,
            "lstripBlocks": LSTRIP,
        },
        required=["sourcePath", "targetPath"],
    ),
    examples=[
        step(
            "workspace:template",
            "Render what an earlier step put into the workspace",
            "sourcePath: ./skeleton\ntargetPath: ./app\n"
            "values:\n  name: ${{ parameters.name }}",
        )
    ],
    supports_dry_run=True,
)
