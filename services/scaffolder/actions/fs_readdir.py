"""`fs:readdir`: lists files and folders of the workspace."""

import functools

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    flag,
    members,
    step,
    text,
)
from services.scaffolder.workspace.folder import FILES_LIMIT, Workspace
from shared.contracts.errors import NotFound, TooLarge

MOST_PATHS = 1_000
#: Of all paths together; one that is named twice is listed twice.
MOST_ENTRIES = FILES_LIMIT
#: A file or folder as expressions read it: name, path of its folder, whole path.
ListedEntry = dict[str, str]


async def _run(context: ActionContext) -> None:
    files: list[ListedEntry] = []
    folders: list[ListedEntry] = []
    recursive = bool(context.input.get("recursive"))
    for name in context.input["paths"]:
        more_files, more_folders = await context.in_thread(
            functools.partial(_read, context.workspace, name, recursive=recursive)
        )
        files += more_files
        folders += more_folders
        if len(files) + len(folders) > MOST_ENTRIES:
            raise TooLarge(f"paths: over the limit of {MOST_ENTRIES} files and folders")
    context.output("files", files)
    context.output("folders", folders)


def _read(
    workspace: Workspace, name: str, *, recursive: bool
) -> tuple[list[ListedEntry], list[ListedEntry]]:
    start = workspace.folder(name)
    if start is None:
        raise NotFound(f"paths: there is no folder '{name}' in the workspace")
    entries = workspace.walk(start, recursive=recursive)
    files = [_entry(path) for path, status in entries if status.kind == "file"]
    folders = [_entry(path) for path, status in entries if status.kind == "folder"]
    return files, folders


def _entry(path: str) -> ListedEntry:
    parent, _, name = path.rpartition("/")
    return {"name": name, "path": parent or ".", "fullPath": path}


_ENTRIES = {
    "type": "array",
    "items": members(
        {
            "name": text("The name of the file or folder."),
            "path": text("The folder that it is in, relative to the workspace."),
            "fullPath": text("Its path, relative to the workspace."),
        },
        required=["name", "path", "fullPath"],
    ),
}
ACTION = Action(
    id="fs:readdir",
    description="Reads which files and folders there are in folders of the workspace.",
    run=_run,
    input=members(
        {
            "paths": {
                "type": "array",
                "items": {"type": "string", "minLength": 1},
                "maxItems": MOST_PATHS,
                "description": "Folders, relative to the workspace.",
            },
            "recursive": {
                **flag("Whether to read their folders too."),
                "default": False,
            },
        },
        required=["paths"],
    ),
    output=members(
        {"files": _ENTRIES, "folders": _ENTRIES}, required=["files", "folders"]
    ),
    examples=[
        step("fs:readdir", "All files", 'paths: ["."]\nrecursive: true'),
    ],
    supports_dry_run=True,
)
