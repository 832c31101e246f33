"""`workspace:template`: renders a folder of the workspace into the workspace."""

from collections.abc import Sequence
from pathlib import Path

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    members,
    step,
    text,
)
from services.scaffolder.actions.template_rendering import FOLDER_INPUT, render_folder
from services.scaffolder.workspace.folder import (
    Workspace,
    copy_tree,
    left_out_notes,
    split_tree,
)
from shared.contracts.errors import NotFound


async def _run(context: ActionContext) -> None:
    workspace, source = context.workspace, context.input["sourcePath"]

    async def copy(path: Path) -> None:
        for note in await context.in_thread(lambda: _copy(workspace, source, path)):
            context.log(note)

    await render_folder(context, context.input["targetPath"], copy)


def _copy(workspace: Workspace, source: str, path: Path) -> Sequence[str]:
    """Copy a folder of the workspace: the result may lie in the folder itself.

    Returns notes of what is left out.
    """
    folder = workspace.folder(source)
    if folder is None:
        raise NotFound(f"sourcePath: no such folder, '{source}'")
    copy_tree(workspace.root / folder, Workspace(path), ".")
    _, git_folders = split_tree(workspace.root / folder)
    return left_out_notes(git_folders)


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
            **FOLDER_INPUT,
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
