"""Parses the push webhooks of each host.

The formats are those of the hosts' documentation; only the fields that are read are
required.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from services.gateway.webhooks.signatures import Provider
from shared.contracts.errors import Invalid, TooLarge
from shared.contracts.gateway import NO_COMMIT, RepositoryPushed
from shared.guards.addresses import split_address
from shared.kit.git.addresses import is_repository_name
from shared.kit.git.ref_names import is_ref_name

#: GitHub lists at most this many commits of one push.
GITHUB_COMMITS = 2048
#: Limit of each text of a push, in characters; those of Git and of addresses are lower.
LONGEST_TEXT = 4096
#: Limit of refs in one delivery, each of which becomes an event.
MOST_REFS = 1_000
#: Ids by SHA-1 or SHA-256; some hosts shorten them.
COMMIT_ID = re.compile(r"[0-9a-f]{7,64}")

Payload = Mapping[str, Any]
Parser = Callable[[Payload, str], list[RepositoryPushed]]


def pushes(
    provider: Provider, payload: Payload, delivery: str, *, knows_paths: bool = True
) -> list[RepositoryPushed]:
    """The pushes in one delivery, one for each ref.

    Without `knows_paths`, their commits are not read: any file may have changed.

    Raises:
        Invalid: naming the field that is missing, too long or of another type.
    """
    if not knows_paths and isinstance(payload.get("commits"), list):
        payload = {**payload, "commits": None}
    parser = PARSERS[provider]
    if provider == "bitbucket" and isinstance(payload.get("changes"), list):
        parser = _bitbucket_server
    return parser(payload, delivery)


def _github(payload: Payload, delivery: str) -> list[RepositoryPushed]:
    return _push(
        payload,
        delivery,
        provider="github",
        page="repository.html_url",
        pusher=("sender.login", "pusher.name"),
        pusher_name="pusher.name",
        has_all=lambda count: count < GITHUB_COMMITS and not payload.get("forced"),
    )


def _gitea(payload: Payload, delivery: str) -> list[RepositoryPushed]:
    return _push(
        payload,
        delivery,
        provider="gitea",
        page="repository.html_url",
        pusher=("pusher.login", "pusher.username", "sender.login", "pusher"),
        pusher_name="pusher.full_name",
        has_all=lambda count: payload.get("total_commits", count) == count,
    )


def _gitlab(payload: Payload, delivery: str) -> list[RepositoryPushed]:
    return _push(
        payload,
        delivery,
        provider="gitlab",
        page="project.web_url",
        pusher=("user_username", "user_name"),
        pusher_name="user_name",
        has_all=lambda count: payload.get("total_commits_count", count) == count,
    )


def _push(
    payload: Payload,
    delivery: str,
    *,
    provider: Provider,
    page: str,
    pusher: Sequence[str],
    pusher_name: str,
    has_all: Callable[[int], bool],
) -> list[RepositoryPushed]:
    """The push of one ref, with its fields at these paths of the payload.

    `has_all` tells whether so many commits are all commits of the push.
    """
    commits = _commits(payload)
    before = _commit(payload, "before")
    # A branch that was reset to an earlier commit changes files without any commit.
    is_complete = bool(commits) and before != NO_COMMIT and has_all(len(commits or ()))
    paths = _paths(commits or ()) if is_complete else None
    return [
        RepositoryPushed(
            provider=provider,
            **_repository(_text(payload, page)),
            ref=_ref(payload, "ref"),
            before=before,
            after=_commit(payload, "after"),
            changed_paths=paths,
            pusher=_first(payload, *pusher),
            pusher_name=_optional(payload, pusher_name),
            delivery=delivery,
        )
    ]


def _bitbucket(payload: Payload, delivery: str) -> list[RepositoryPushed]:
    repository = _repository(_text(payload, "repository.links.html.href"))
    pushed = []
    for change in _changes(payload, "push.changes"):
        new, old = change.get("new"), change.get("old")
        ref = new or old
        if not isinstance(ref, Mapping):
            raise Invalid("push.changes: each needs `new` or `old`")
        kind = "tags" if ref.get("type") == "tag" else "heads"
        pushed.append(
            RepositoryPushed(
                provider="bitbucket",
                **repository,
                ref=f"refs/{kind}/{_ref(ref, 'name')}",
                before=_commit(old, "target.hash") if old else NO_COMMIT,
                after=_commit(new, "target.hash") if new else NO_COMMIT,
                pusher=_first(payload, "actor.nickname", "actor.display_name"),
                pusher_name=_optional(payload, "actor.display_name"),
                delivery=delivery,
            )
        )
    return pushed


def _bitbucket_server(payload: Payload, delivery: str) -> list[RepositoryPushed]:
    links = _at(payload, "repository.links.self")
    href = _optional(links[0], "href") if isinstance(links, list) and links else None
    if href is None:
        raise Invalid("repository.links.self: must hold the repository's page")
    repository = _repository(href.removesuffix("/browse"))
    # The catalog's name of the repository; the page of a user's project differs.
    repository["repository"] = re.sub(
        r"^users/", "~", repository["repository"].removeprefix("projects/")
    )
    return [
        RepositoryPushed(
            provider="bitbucket",
            **repository,
            ref=_ref(change, "ref.id"),
            before=_commit(change, "fromHash"),
            after=_commit(change, "toHash"),
            pusher=_first(payload, "actor.name", "actor.displayName"),
            pusher_name=_optional(payload, "actor.displayName"),
            delivery=delivery,
        )
        for change in _changes(payload, "changes")
    ]


PARSERS: dict[str, Parser] = {
    "github": _github,
    "gitea": _gitea,
    "gitlab": _gitlab,
    "bitbucket": _bitbucket,
}


def _repository(page: str) -> dict[str, str]:
    parts = split_address(page, "repository")
    repository = parts.path.strip("/").removesuffix(".git")
    is_page = parts.scheme in ("http", "https") and bool(parts.netloc)
    if not is_page or not is_repository_name(unquote(repository)):
        raise Invalid(
            f"repository: {page[:200]!r} is no address of a repository's page"
        )
    return {"host": parts.netloc.lower(), "repository": repository, "url": page}


def _commits(payload: Payload) -> list[Payload] | None:
    """The commits with their file lists; None if the host omitted lists.

    Raises:
        Invalid: if they are no list of objects.
    """
    if payload.get("commits") is None:
        return None
    commits = _list(payload, "commits")
    is_whole = all(isinstance(commit.get("modified"), list) for commit in commits)
    return commits if is_whole else None


def _paths(commits: Iterable[Payload]) -> list[str] | None:
    """The changed files; None, which means any, if a path is too long to be told."""
    paths = {
        path
        for commit in commits
        for name in ("added", "modified", "removed")
        for path in _listed(commit, name)
        if isinstance(path, str)
    }
    return None if any(len(p) > LONGEST_TEXT for p in paths) else sorted(paths)


def _listed(commit: Payload, name: str) -> list[Any]:
    """A commit's list of files; empty if the host omitted it.

    Raises:
        Invalid: if it is no list.
    """
    files = commit.get(name)
    if files is None:
        return []
    if not isinstance(files, list):
        raise Invalid(f"commits.{name}: must be a list")
    return files


def _at(payload: Any, path: str) -> Any:
    for part in path.split("."):
        payload = payload.get(part) if isinstance(payload, Mapping) else None
    return payload


def _text(payload: Any, path: str) -> str:
    value = _optional(payload, path)
    if value is None:
        raise Invalid(f"{path}: must be a non-empty string")
    return value


def _ref(payload: Any, path: str) -> str:
    """The name of a branch or a tag.

    Raises:
        Invalid: if it is missing, or no name that Git takes.
    """
    ref = _text(payload, path)
    if not is_ref_name(ref):
        raise Invalid(f"{path}: {ref[:200]!r} is no name of a branch or a tag")
    return ref


def _commit(payload: Any, path: str) -> str:
    """The id of a commit.

    Raises:
        Invalid: if it is missing, or no id.
    """
    commit = _text(payload, path)
    if COMMIT_ID.fullmatch(commit) is None:
        raise Invalid(f"{path}: {commit[:200]!r} is no id of a commit")
    return commit


def _changes(payload: Any, path: str) -> list[Payload]:
    """The refs that were pushed together.

    Raises:
        TooLarge: if there are too many.
    """
    changes = _list(payload, path)
    if len(changes) > MOST_REFS:
        raise TooLarge(
            f"{path}: {len(changes)} refs, at most {MOST_REFS} in one delivery; "
            "push fewer at a time, or refresh the repository's locations"
        )
    return changes


def _list(payload: Any, path: str) -> list[Payload]:
    items = _at(payload, path)
    if not isinstance(items, list) or not all(
        isinstance(item, Mapping) for item in items
    ):
        raise Invalid(f"{path}: must be a list of objects")
    return items


def _optional(payload: Any, path: str) -> str | None:
    """The text at a path; None if there is none.

    Raises:
        Invalid: if it is too long.
    """
    value = _at(payload, path)
    if not isinstance(value, str) or not value:
        return None
    if len(value) > LONGEST_TEXT:
        raise Invalid(f"{path}: is over the limit of {LONGEST_TEXT} characters")
    return value


def _first(payload: Any, *paths: str) -> str:
    for path in paths:
        value = _optional(payload, path)
        if value is not None:
            return value
    raise Invalid(f"{paths[0]}: must be a non-empty string")
