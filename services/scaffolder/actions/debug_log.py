"""`debug:log`: writes a message into the run's log, and lists the workspace."""

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    members,
    step,
    text,
)

_LARGEST = 32 * 1024


async def _run(context: ActionContext) -> None:
    message = context.input.get("message")
    if message:
        context.log(message)
    listing = context.input.get("listWorkspace")
    if not listing:
        return
    contents = listing == "with-contents"
    lines = await context.in_thread(lambda: _listed(context, contents=contents))
    context.log("\n".join(["Workspace:", *lines]))


def _listed(context: ActionContext, *, contents: bool) -> list[str]:
    lines: list[str] = []
    workspace = context.workspace
    for entry in workspace.entries():
        if entry.kind == "link":
            lines.append(f"  - {entry.path} -> {workspace.target(entry.path)}")
            continue
        lines.append(f"  - {entry.path}")
        if contents:
            raw = workspace.read(entry.path)[:_LARGEST]
            lines += ["", raw.decode("utf-8", "replace"), ""]
    return lines


ACTION = Action(
    id="debug:log",
    description="Writes a message into the log, and lists the files of the workspace.",
    run=_run,
    input=members(
        {
            "message": text("What to write."),
            "listWorkspace": {
                "anyOf": [
                    {"type": "boolean"},
                    {"type": "string", "enum": ["with-filenames", "with-contents"]},
                ],
                "description": "Whether to list the workspace's files, and how.",
            },
        }
    ),
    examples=[
        step("debug:log", "Write a message", "message: Hello ${{ parameters.name }}"),
        step(
            "debug:log",
            "List the workspace with the files' contents",
            "listWorkspace: with-contents",
        ),
    ],
    supports_dry_run=True,
)
