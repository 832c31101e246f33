"""`workspace:template:file`: renders one file of the workspace into the workspace."""

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
    LSTRIP,
    TRIM,
    VALUES,
)
from services.scaffolder.actions.fetch_template_file import render_file, stays_as_it_is


async def _run(context: ActionContext) -> None:
    source, target = context.input["sourcePath"], context.input["targetPath"]
    context.workspace.path(target)
    content = await context.in_thread(lambda: context.workspace.read(source))
    if not stays_as_it_is(context, target):
        await context.in_thread(lambda: render_file(context, target, content, source))


ACTION = Action(
    id="workspace:template:file",
    description="Renders the content of one file of the workspace into another one.",
    run=_run,
    input=members(
        {
            "sourcePath": text("The file of the workspace to render."),
            "targetPath": text("Where in the workspace to put it, with its name."),
            "values": VALUES,
            "cookiecutterCompat": COOKIECUTTER,
            "replace": flag("Replace the file if it is there instead of keeping it."),
            "trimBlocks": TRIM,
            "lstripBlocks": LSTRIP,
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
