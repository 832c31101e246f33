"""`fetch:template`: renders a skeleton, names and contents, into the workspace."""

from pathlib import Path

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    members,
    step,
    text,
)
from services.scaffolder.actions.fetch_plain import TOKEN
from services.scaffolder.actions.template_rendering import (
    FOLDER_INPUT,
    GLOBS,
    render_folder,
)


async def _run(context: ActionContext) -> None:
    async def fetch(path: Path) -> None:
        context.log("Fetching template content from remote URL")
        url, sources = context.input["url"], context.tools.sources
        for note in await sources.tree(url, context.base_url, path):
            context.log(note)

    await render_folder(context, context.input.get("targetPath") or ".", fetch)


ACTION = Action(
    id="fetch:template",
    description=(
        "Fetches a skeleton, renders the names and contents of its files, and puts the "
        "result into the workspace, or into a folder of it."
    ),
    run=_run,
    input=members(
        {
            "url": text("Relative path or absolute URL of the folder to fetch."),
            "targetPath": text(
                "Where in the workspace to put it; its root by default."
            ),
            "copyWithoutRender": {
                **GLOBS,
                "description": "Globs of files to copy with name and content as is.",
            },
            **FOLDER_INPUT,
            "token": TOKEN,
        },
        required=["url"],
    ),
    examples=[
        step(
            "fetch:template",
            "Render the skeleton beside the template",
            "url: ./skeleton\nvalues:\n  name: ${{ parameters.name }}",
        ),
        step(
            "fetch:template",
            "Leave some files alone",
            'url: ./skeleton\ntargetPath: app\ncopyWithoutTemplating: ["static/**"]',
        ),
    ],
    supports_dry_run=True,
)
