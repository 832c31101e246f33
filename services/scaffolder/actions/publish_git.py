"""`publish:git`: makes a repository and pushes the workspace as its first commit.

The action stores a checkpoint before it creates a repository. A run that is resumed
after a crash goes on with the repository that it created, and refuses any other.
"""

from pathlib import Path

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    members,
    step,
    text,
)
from services.scaffolder.templates.filters import RepositoryPlace, parse_place
from services.scaffolder.workspace.folder import (
    left_out_notes,
    require_files,
    split_tree,
)
from shared.contracts.entity import Entity
from shared.contracts.errors import Conflict, NotFound

_CLAIMED = "claimed"
_BRANCH = "main"


async def _run(context: ActionContext) -> None:
    place = parse_place(context.input["repoUrl"])
    branch = context.input.get("defaultBranch") or _BRANCH
    folder = context.workspace.folder(context.input.get("sourcePath") or ".")
    if folder is None:
        raise NotFound(f"sourcePath: no folder {context.input.get('sourcePath')!r}")
    source = context.workspace.root / folder
    entries, git_folders = await context.in_thread(lambda: split_tree(source))
    require_files(entries, git_folders)
    for note in left_out_notes(git_folders):
        context.log(note)
    await _create(context, place, branch)
    commit = await _push(context, place, branch, source)
    remote, contents = context.tools.repositories.pages(place.host, place.slug, branch)
    context.output("remoteUrl", remote)
    context.output("repoContentsUrl", contents)
    context.output("commitHash", commit)
    context.log(f"Published {commit[:8]} to {remote}")


async def _create(context: ActionContext, place: RepositoryPlace, branch: str) -> None:
    repositories = context.tools.repositories
    claim = f"{place.host}/{place.slug}"
    is_ours = context.checkpoints.get(_CLAIMED) == claim
    if not is_ours:
        # A repository that exists is refused first: a checkpoint means it was free.
        if await _exists(context, place, branch):
            raise Conflict(
                f"repoUrl: there is a repository {place.slug} at {place.host} already"
            )
        await context.checkpoint(_CLAIMED, claim)
    context.log(f"Creating the repository {place.slug} at {place.host}")
    try:
        await repositories.create(place.host, place.slug, branch)
    except Conflict as error:
        if not is_ours:
            # Another run created it first, or it exists in another case: a retry must
            # not take it for its own.
            await context.checkpoint(_CLAIMED, None)
            raise Conflict(f"repoUrl: {error.message}") from error


async def _exists(context: ActionContext, place: RepositoryPlace, branch: str) -> bool:
    try:
        await context.tools.repositories.head(place.host, place.slug, branch)
    except NotFound:
        return False
    return True


async def _push(
    context: ActionContext, place: RepositoryPlace, branch: str, source: Path
) -> str:
    repositories = context.tools.repositories
    pushed = await repositories.head(place.host, place.slug, branch)
    if pushed is not None:
        return pushed
    message = context.input.get("gitCommitMessage") or context.tools.commit_message
    return await repositories.push(
        place.host,
        place.slug,
        branch,
        source,
        message=message,
        author=_author(context),
    )


def _author(context: ActionContext) -> tuple[str, str]:
    name, email = context.tools.author
    profile = Entity(context.user.get("entity", {})).profile
    short = context.user.get("ref", "").rpartition("/")[2]
    own_name = profile.get("displayName") or short or name
    own_email = profile.get("email") or (
        f"{short}@users.callboard.invalid" if short else email
    )
    return (
        context.input.get("gitAuthorName") or own_name,
        context.input.get("gitAuthorEmail") or own_email,
    )


ACTION = Action(
    id="publish:git",
    description=(
        "Creates a repository at a host of type `local` and pushes the workspace to it."
    ),
    run=_run,
    input=members(
        {
            "repoUrl": text("`host?repo=name` or `host?owner=o&repo=name`."),
            "description": text("What the repository is for."),
            "defaultBranch": text("The branch to push, main by default."),
            "gitCommitMessage": text("The message of the first commit."),
            "gitAuthorName": text("Its author; the user by default."),
            "gitAuthorEmail": text("Its author's address."),
            "sourcePath": text("The folder to publish; the workspace by default."),
        },
        required=["repoUrl"],
    ),
    output=members(
        {
            "remoteUrl": text("The repository's page."),
            "repoContentsUrl": text("The page of its files."),
            "commitHash": text("The first commit."),
        },
        required=["remoteUrl", "repoContentsUrl", "commitHash"],
    ),
    examples=[
        step(
            "publish:git",
            "A new repository",
            "repoUrl: git.playhouse.example?repo=${{ parameters.name }}\n"
            "defaultBranch: main",
        )
    ],
)
