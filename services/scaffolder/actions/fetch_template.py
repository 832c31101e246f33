"""`fetch:template`: renders a skeleton, names and contents, into the workspace."""

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
from services.scaffolder.actions.fetch_plain import TOKEN
from services.scaffolder.model import JsonObject
from services.scaffolder.workspace.skeleton import (
    DEFAULT_EXTENSION,
    SkeletonRules,
    context_of,
    render_tree,
)
from shared.contracts.errors import Invalid

GLOBS: JsonObject = {"type": "array", "items": {"type": "string"}}
COPIED: JsonObject = {
    **GLOBS,
    "description": "Globs of files whose names alone are rendered.",
}
EXTENSION: JsonObject = {
    "type": ["string", "boolean"],
    "description": "Render only files with this ending (true: `.njk`).",
}
VALUES = {
    "type": "object",
    "additionalProperties": {},
    "description": "What the files read as `values`.",
}
COOKIECUTTER = flag("Read `{{ cookiecutter.name }}` instead of `${{ values.name }}`.")
TRIM = flag("Drop the first newline after a block.")
LSTRIP = flag("Drop the spaces before a block at the start of a line.")


async def _run(context: ActionContext) -> None:
    values = context.input
    target = values.get("targetPath") or "."
    context.workspace.path(target)
    rules = await context.in_thread(lambda: rules_of(values))
    context.log("Fetching template content from remote URL")
    scratch = await context.in_thread(context.workspace.scratch)
    try:
        source = scratch / "tree"
        notes = await context.tools.sources.tree(
            values["url"], context.base_url, source
        )
        for note in notes:
            context.log(note)
        written = await context.in_thread(
            lambda: render(context, source, target, rules)
        )
    finally:
        await context.in_thread(lambda: shutil.rmtree(scratch, ignore_errors=True))
    context.log(f"Wrote {len(written)} files from the template")


def render(
    context: ActionContext, source: Path, target: str, rules: SkeletonRules
) -> list[str]:
    """Render the files below `source` into the workspace; their paths."""
    dialect = context.tools.dialect(
        cookiecutter=rules.cookiecutter,
        trim_blocks=bool(context.input.get("trimBlocks")),
        lstrip_blocks=bool(context.input.get("lstripBlocks")),
    )
    values = context.input.get("values", {})
    learning = context.learning(
        dialect,
        lambda public: context_of(
            public.get("values", {}), cookiecutter=rules.cookiecutter
        ),
    )
    return render_tree(source, context.workspace, target, values, learning, rules)


def rules_of(values: JsonObject) -> SkeletonRules:
    """The rules that an input sets.

    Raises:
        Invalid: if two that exclude each other are given.
    """
    cookiecutter = bool(values.get("cookiecutterCompat"))
    extension = values.get("templateFileExtension")
    unrendered, copied = (
        values.get("copyWithoutRender"),
        values.get("copyWithoutTemplating"),
    )
    if unrendered and copied:
        raise Invalid(
            "Fetch action input copyWithoutRender and copyWithoutTemplating "
            "can not be used at the same time"
        )
    if extension and (unrendered or copied):
        raise Invalid(
            "input extension incompatible with copyWithoutRender/copyWithoutTemplating "
            "and cookiecutterCompat"
        )
    if extension and cookiecutter:
        raise Invalid("input extension incompatible with cookiecutterCompat")
    if extension is True:
        extension = DEFAULT_EXTENSION
    if extension and not extension.startswith("."):
        extension = f".{extension}"
    return SkeletonRules(
        copied=tuple(copied or unrendered or ()),
        renders_copied_names=not unrendered,
        extension=extension or None,
        replaces=bool(values.get("replace")),
        cookiecutter=cookiecutter,
    )


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
            "values": VALUES,
            "copyWithoutRender": {
                **GLOBS,
                "description": "Globs of files to copy with name and content as is.",
            },
            "copyWithoutTemplating": COPIED,
            "cookiecutterCompat": COOKIECUTTER,
            "templateFileExtension": EXTENSION,
            "replace": flag("Replace files that are there instead of keeping them."),
            "trimBlocks": TRIM,
            "lstripBlocks": LSTRIP,
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
