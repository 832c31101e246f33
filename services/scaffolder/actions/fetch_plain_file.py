"""`fetch:plain:file`: copies one file from a URL into the workspace as it is."""

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    members,
    step,
    text,
)
from services.scaffolder.actions.fetch_plain import TOKEN


async def _run(context: ActionContext) -> None:
    target = context.input["targetPath"]
    context.workspace.path(target)
    context.log("Fetching plain content from remote URL")
    content = await context.tools.sources.file(context.input["url"], context.base_url)
    await context.in_thread(lambda: context.workspace.write(target, content))


ACTION = Action(
    id="fetch:plain:file",
    description="Copies one file into the workspace.",
    run=_run,
    input=members(
        {
            "url": text("Relative path or absolute URL of the file to fetch."),
            "targetPath": text("Where in the workspace to put it, with its name."),
            "token": TOKEN,
        },
        required=["url", "targetPath"],
    ),
    examples=[
        step(
            "fetch:plain:file",
            "A file beside the template",
            "url: ./LICENSE\ntargetPath: LICENSE",
        )
    ],
    supports_dry_run=True,
)
