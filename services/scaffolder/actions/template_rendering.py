"""What actions share that render templates: their input, and the work."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from services.scaffolder.actions.action import ActionContext, flag
from services.scaffolder.model import JsonObject
from services.scaffolder.workspace.skeleton import (
    DEFAULT_EXTENSION,
    FileDialect,
    SkeletonRules,
    context_of,
    render_content,
    render_tree,
)
from shared.contracts.errors import Invalid

GLOBS: JsonObject = {"type": "array", "items": {"type": "string"}}
#: The input that the rendering of one file reads.
FILE_INPUT: JsonObject = {
    "values": {
        "type": "object",
        "additionalProperties": {},
        "description": "What the files read as `values`.",
    },
    "cookiecutterCompat": flag(
        "Read `{{ cookiecutter.name }}` instead of `${{ values.name }}`."
    ),
    "replace": flag("Replace files that are there instead of keeping them."),
    "trimBlocks": flag("Drop the first newline after a block."),
    "lstripBlocks": flag("Drop the spaces before a block at the start of a line."),
}
#: The input that the rendering of a folder reads.
FOLDER_INPUT: JsonObject = {
    **FILE_INPUT,
    "copyWithoutTemplating": {
        **GLOBS,
        "description": "Globs of files whose names alone are rendered.",
    },
    "templateFileExtension": {
        "type": ["string", "boolean"],
        "description": "Render only files with this ending (true: `.njk`).",
    },
}


async def render_folder(
    context: ActionContext, target: str, read: Callable[[Path], Awaitable[None]]
) -> None:
    """Render into `target` the folder that `read` puts at an empty path."""
    workspace = context.workspace
    workspace.path(target)
    rules = await context.in_thread(lambda: rules_of(context.input))
    scratch = await context.in_thread(workspace.scratch)
    source = scratch / "tree"

    def render() -> list[str]:
        values = context.input.get("values", {})
        return render_tree(source, workspace, target, values, _dialect(context), rules)

    try:
        await read(source)
        written = await context.in_thread(render)
    finally:
        await context.in_thread(lambda: shutil.rmtree(scratch, ignore_errors=True))
    context.log(f"Wrote {len(written)} files from the template")


async def render_file(
    context: ActionContext, source: str, read: Callable[[], Awaitable[bytes]]
) -> None:
    """Render what `read` returns into the file `targetPath`.

    A file that is there stays, unless the input replaces it. `source` names the
    template in errors.
    """
    workspace, target = context.workspace, context.input["targetPath"]
    workspace.path(target)
    if not context.input.get("replace") and workspace.status(target) is not None:
        context.log(f"File {target} is there already, it is kept")
        return
    content = await read()

    def render() -> None:
        names = _names(context.input)
        rendered = render_content(_dialect(context), content, names, source)
        workspace.write(target, rendered)

    await context.in_thread(render)


def _names(values: JsonObject) -> JsonObject:
    """The names that files read, of an input."""
    cookiecutter = bool(values.get("cookiecutterCompat"))
    return context_of(values.get("values", {}), cookiecutter=cookiecutter)


def _dialect(context: ActionContext) -> FileDialect:
    """The dialect that the input sets; secrets that it renders are masked."""
    dialect = context.tools.dialect(
        cookiecutter=bool(context.input.get("cookiecutterCompat")),
        trim_blocks=bool(context.input.get("trimBlocks")),
        lstrip_blocks=bool(context.input.get("lstripBlocks")),
    )
    return context.learning(dialect, _names)


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
