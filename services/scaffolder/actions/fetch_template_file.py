"""`fetch:template:file`: renders one file from a URL into the workspace."""

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    members,
    step,
    text,
)
from services.scaffolder.actions.fetch_plain import TOKEN
from services.scaffolder.actions.template_rendering import FILE_INPUT, render_file


async def _run(context: ActionContext) -> None:
    url = context.input["url"]

    async def fetch() -> bytes:
        context.log("Fetching template file content from remote URL")
        return await context.tools.sources.file(url, context.base_url)

    await render_file(context, url, fetch)


ACTION = Action(
    id="fetch:template:file",
    description="Fetches one file, renders its content and puts it into the workspace.",
    run=_run,
    input=members(
        {
            "url": text("Relative path or absolute URL of the file to fetch."),
            "targetPath": text("Where in the workspace to put it, with its name."),
            **FILE_INPUT,
            "token": TOKEN,
        },
        required=["url", "targetPath"],
    ),
    examples=[
        step(
            "fetch:template:file",
            "Render one file",
            "url: ./README.md\ntargetPath: README.md\n"
            "values:\n  name: ${{ parameters.name }}",
        )
    ],
    supports_dry_run=True,
)
