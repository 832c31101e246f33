"""`fs:delete`: deletes files and folders of the workspace."""

import functools

from services.scaffolder.actions.action import Action, ActionContext, members, step
from shared.contracts.errors import Invalid
from shared.guards.foreign_paths import normalise
from shared.guards.glob_names import NameBudget
from shared.guards.globs import SELECT_STEPS, Glob, check_list, is_pattern

#: Names and patterns of one step.
MOST_NAMES = 1_000


async def _run(context: ActionContext) -> None:
    names = context.input["files"]
    check_list([name for name in names if is_pattern(name)], "files")
    budget = NameBudget(SELECT_STEPS, "files: too complex for so many files")
    for name in names:
        await context.in_thread(functools.partial(_delete, context, name, budget))


def _delete(context: ActionContext, name: str, budget: NameBudget) -> None:
    """Delete the file or folder of this name, or else what the pattern matches.

    All patterns of a step share the budget.
    """
    if not name.strip("/"):
        # An expression that renders to nothing must not empty the workspace.
        raise Invalid("files: must not hold an empty name; `.` empties the workspace")
    workspace = context.workspace
    if not normalise(name):
        for path, _ in workspace.walk(recursive=False):
            workspace.delete(path)
        context.log("Everything in the workspace deleted successfully")
    elif workspace.delete(name):
        context.log(f"File {name} deleted successfully")
    elif is_pattern(name):
        _delete_matching(context, Glob(name, dot=True, label="files"), budget)
    else:
        context.log(f"File {name} is not there")


def _delete_matching(context: ActionContext, glob: Glob, budget: NameBudget) -> None:
    workspace = context.workspace
    selected = glob.select([path for path, _ in workspace.walk()], budget)
    for path in selected:
        # A file within a folder that matched was deleted with the folder.
        if workspace.delete(path):
            context.log(f"File {path} deleted successfully")
    if not selected:
        context.log(f"Nothing matches {glob.pattern}")


ACTION = Action(
    id="fs:delete",
    description="Deletes files and folders of the workspace.",
    run=_run,
    input=members(
        {
            "files": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": MOST_NAMES,
                "description": (
                    "Files and folders, relative to the workspace, or patterns of them "
                    "(hidden ones included); `.` empties the workspace."
                ),
            }
        },
        required=["files"],
    ),
    examples=[
        step("fs:delete", "Delete a file and a folder", "files: [a.txt, drafts]"),
        step("fs:delete", "Delete by patterns", 'files: ["base/helm_*", "**/*.tmp"]'),
    ],
    supports_dry_run=True,
)
