"""`fetch:template:file`: renders one file from a URL into the workspace."""

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    flag,
    members,
    step,
    text,
)
from services.scaffolder.actions.fetch_plain import TOKEN
from services.scaffolder.actions.fetch_template import (
    COOKIECUTTER,
    LSTRIP,
    TRIM,
    VALUES,
)
from services.scaffolder.model import JsonObject
from services.scaffolder.workspace.skeleton import context_of, render_content


async def _run(context: ActionContext) -> None:
    target = context.input["targetPath"]
    context.workspace.path(target)
    if stays_as_it_is(context, target):
        return
    context.log("Fetching template file content from remote URL")
    url = context.input["url"]
    content = await context.tools.sources.file(url, context.base_url)
    await context.in_thread(lambda: render_file(context, target, content, url))


def stays_as_it_is(context: ActionContext, target: str) -> bool:
    """Whether a file is at `target` that the input does not replace; logs it."""
    if context.input.get("replace") or context.workspace.status(target) is None:
        return False
    context.log(f"File {target} is there already, it is kept")
    return True


def render_file(
    context: ActionContext, target: str, content: bytes, source: str
) -> None:
    """Render a file's content into the workspace; `source` names it in errors."""
    cookiecutter = bool(context.input.get("cookiecutterCompat"))
    dialect = context.tools.dialect(
        cookiecutter=cookiecutter,
        trim_blocks=bool(context.input.get("trimBlocks")),
        lstrip_blocks=bool(context.input.get("lstripBlocks")),
    )

    def names(values: JsonObject) -> JsonObject:
        return context_of(values.get("values", {}), cookiecutter=cookiecutter)

    learning = context.learning(dialect, names)
    rendered = render_content(learning, content, names(context.input), source)
    context.workspace.write(target, rendered)


ACTION = Action(
    id="fetch:template:file",
    description="Fetches one file, renders its content and puts it into the workspace.",
    run=_run,
    input=members(
        {
            "url": text("Relative path or absolute URL of the file to fetch."),
            "targetPath": text("Where in the workspace to put it, with its name."),
            "values": VALUES,
            "cookiecutterCompat": COOKIECUTTER,
            "replace": flag("Replace the file if it is there instead of keeping it."),
            "trimBlocks": TRIM,
            "lstripBlocks": LSTRIP,
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
