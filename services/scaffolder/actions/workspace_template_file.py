"""`workspace:template:file`: renders one file of the workspace into the workspace."""

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    members,
    step,
    text,
)
from services.scaffolder.actions.template_rendering import FILE_INPUT, render_file


async def _run(context: ActionContext) -> None:
    source = context.input["sourcePath"]

    async def read() -> bytes:
        content: bytes = await context.in_thread(lambda: context.workspace.read(source))
        return content

    await render_file(context, source, read)


ACTION = Action(
    id="workspace:template:file",
    description="Renders the content of one file of the workspace into another one.",
    run=_run,
    input=members(
        {
            "sourcePath": text("The file of the workspace to render."),
            "targetPath": text("Where in the workspace to put it, with its name."),
            **FILE_INPUT,
        },
        required=["sourcePath", "targetPath"],
    ),
    examples=[
        step(
            "workspace:template:file",
            "Render one file in its place",
            "sourcePath: README.md\ntargetPath: README.md\nreplace: true\n"
            "values:\n  name: ${{ parameters.name }}",
        )
    ],
    supports_dry_run=True,
)
