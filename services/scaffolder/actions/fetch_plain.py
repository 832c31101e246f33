"""`fetch:plain`: copies a folder from a URL into the workspace as it is."""

import shutil

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    members,
    step,
    text,
)
from services.scaffolder.workspace.folder import copy_tree

TOKEN = text("A token for reading; the host's integration is used without one.")


async def _run(context: ActionContext) -> None:
    target = context.input.get("targetPath") or "."
    context.workspace.path(target)
    context.log("Fetching plain content from remote URL")
    scratch = await context.in_thread(context.workspace.scratch)
    try:
        source = scratch / "tree"
        notes = await context.tools.sources.tree(
            context.input["url"], context.base_url, source
        )
        for note in notes:
            context.log(note)
        await context.in_thread(lambda: copy_tree(source, context.workspace, target))
    finally:
        await context.in_thread(lambda: shutil.rmtree(scratch, ignore_errors=True))


ACTION = Action(
    id="fetch:plain",
    description="Copies a folder into the workspace, or into a folder of it.",
    run=_run,
    input=members(
        {
            "url": text("Relative path or absolute URL of the folder to fetch."),
            "targetPath": text("Where in the workspace to put it."),
            "token": TOKEN,
        },
        required=["url"],
    ),
    examples=[
        step("fetch:plain", "A folder beside the template", "url: ./content"),
        step(
            "fetch:plain",
            "A folder of a repository into a folder of the workspace",
            "url: https://github.com/acme/kit/tree/main/base\ntargetPath: base",
        ),
    ],
    supports_dry_run=True,
)
