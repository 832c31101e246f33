"""`fs:delete`: deletes files and folders of the workspace."""

from collections.abc import Sequence
from functools import cached_property

from services.scaffolder.actions.action import Action, ActionContext, members, step
from shared.contracts.errors import Invalid
from shared.guards.foreign_paths import normalise, quoted_path
from shared.guards.glob_names import NameBudget
from shared.guards.globs import SELECT_STEPS, Glob, check_list, is_pattern

#: Names and patterns of one step.
MOST_NAMES = 1_000
#: The names and patterns without any file that a line of the log shows.
_NAMED_LIMIT = 10


async def _run(context: ActionContext) -> None:
    names = context.input["files"]
    check_list([name for name in names if is_pattern(name)], "files")
    await context.in_thread(lambda: _Deletion(context).delete(names))


class _Deletion:
    """One call of the action: its patterns share one walk and one budget."""

    def __init__(self, context: ActionContext) -> None:
        self._workspace = context.workspace
        self._log = context.log
        self._budget = NameBudget(SELECT_STEPS, "files: too complex for so many files")

    @cached_property
    def _paths(self) -> list[str]:
        """What the first pattern found; some of it may be deleted since."""
        return [path for path, _ in self._workspace.walk()]

    def delete(self, names: Sequence[str]) -> None:
        """Delete the files and folders; one line of the log names what is not there."""
        missing = [name for name in names if not self._delete_name(name)]
        if missing:
            first_names = ", ".join(map(quoted_path, missing[:_NAMED_LIMIT]))
            rest = len(missing) - _NAMED_LIMIT
            more = f" and {rest} more" if rest > 0 else ""
            self._log(f"Nothing matches {first_names}{more}")

    def _delete_name(self, name: str) -> bool:
        """Delete what has this name, or matches it; whether there was anything."""
        if not name.strip("/"):
            # An expression that renders to nothing must not empty the workspace.
            raise Invalid(
                "files: must not hold an empty name; `.` empties the workspace"
            )
        if not normalise(name):
            for path, _ in self._workspace.walk(recursive=False):
                self._workspace.delete(path)
            self._log("Everything in the workspace deleted successfully")
            return True
        if self._delete_path(name):
            return True
        if not is_pattern(name):
            return False
        glob = Glob(name, dot=True, label="files")
        selected = glob.select(self._paths, self._budget)
        for path in selected:
            # A file within a folder that matched was deleted with the folder.
            self._delete_path(path)
        return bool(selected)

    def _delete_path(self, path: str) -> bool:
        is_deleted = self._workspace.delete(path)
        if is_deleted:
            self._log(f"File {path} deleted successfully")
        return is_deleted


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
