"""What each host's push webhook says, put into our words.

Each host's own documentation of its push event is the source; only what is read here
must be there.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from services.gateway.webhooks.signatures import Provider
from shared.contracts.errors import Invalid, TooLarge
from shared.contracts.gateway import NO_COMMIT, RepositoryPushed
from shared.guards.addresses import split_address

#: GitHub lists at most this many commits of one push.
GITHUB_COMMITS = 2048
#: Each becomes an event; hosts tell of a handful at a time.
MOST_REFS = 1_000

Payload = Mapping[str, Any]
Parser = Callable[[Payload, str], list[RepositoryPushed]]


def pushes(
    provider: Provider, payload: Payload, delivery: str
) -> list[RepositoryPushed]:
    """The pushes in one delivery: one a ref.

    Raises:
        Invalid: naming the field that is missing or of another type.
    """
    parser = PARSERS[provider]
    if provider == "bitbucket" and isinstance(payload.get("changes"), list):
        parser = _bitbucket_server
    return parser(payload, delivery)


def _github(payload: Payload, delivery: str) -> list[RepositoryPushed]:
    commits = _commits(payload)
    before = _text(payload, "before")
    listed = (
        _are_all(commits, before)
        and len(commits or ()) < GITHUB_COMMITS
        and not payload.get("forced")
    )
    return [
        RepositoryPushed(
            provider="github",
            **_place(_text(payload, "repository.html_url")),
            ref=_text(payload, "ref"),
            before=before,
            after=_text(payload, "after"),
            changed_paths=_paths(commits or ()) if listed else None,
            pusher=_first(payload, "sender.login", "pusher.name"),
            pusher_name=_optional(payload, "pusher.name"),
            delivery=delivery,
        )
    ]


def _gitea(payload: Payload, delivery: str) -> list[RepositoryPushed]:
    commits = _commits(payload)
    before = _text(payload, "before")
    total = payload.get("total_commits", len(commits or ()))
    listed = _are_all(commits, before) and total == len(commits or ())
    return [
        RepositoryPushed(
            provider="gitea",
            **_place(_text(payload, "repository.html_url")),
            ref=_text(payload, "ref"),
            before=before,
            after=_text(payload, "after"),
            changed_paths=_paths(commits or ()) if listed else None,
            pusher=_first(
                payload, "pusher.login", "pusher.username", "sender.login", "pusher"
            ),
            pusher_name=_optional(payload, "pusher.full_name"),
            delivery=delivery,
        )
    ]


def _gitlab(payload: Payload, delivery: str) -> list[RepositoryPushed]:
    commits = _commits(payload)
    before = _text(payload, "before")
    total = payload.get("total_commits_count", len(commits or ()))
    listed = _are_all(commits, before) and total == len(commits or ())
    return [
        RepositoryPushed(
            provider="gitlab",
            **_place(_text(payload, "project.web_url")),
            ref=_text(payload, "ref"),
            before=before,
            after=_text(payload, "after"),
            changed_paths=_paths(commits or ()) if listed else None,
            pusher=_first(payload, "user_username", "user_name"),
            pusher_name=_optional(payload, "user_name"),
            delivery=delivery,
        )
    ]


def _bitbucket(payload: Payload, delivery: str) -> list[RepositoryPushed]:
    place = _place(_text(payload, "repository.links.html.href"))
    pushed = []
    for change in _changes(payload, "push.changes"):
        now, then = change.get("new"), change.get("old")
        named = now or then
        if not isinstance(named, Mapping):
            raise Invalid("push.changes: each needs `new` or `old`")
        kind = "tags" if named.get("type") == "tag" else "heads"
        pushed.append(
            RepositoryPushed(
                provider="bitbucket",
                **place,
                ref=f"refs/{kind}/{_text(named, 'name')}",
                before=_text(then, "target.hash") if then else NO_COMMIT,
                after=_text(now, "target.hash") if now else NO_COMMIT,
                pusher=_first(payload, "actor.nickname", "actor.display_name"),
                pusher_name=_optional(payload, "actor.display_name"),
                delivery=delivery,
            )
        )
    return pushed


def _bitbucket_server(payload: Payload, delivery: str) -> list[RepositoryPushed]:
    links = _at(payload, "repository.links.self")
    href = _at(links[0], "href") if isinstance(links, list) and links else None
    if not isinstance(href, str):
        raise Invalid("repository.links.self: must hold the repository's page")
    place = _place(href.removesuffix("/browse"))
    # As the catalog names it: the page of a user's project has another word in front.
    place["repository"] = re.sub(
        r"^users/", "~", place["repository"].removeprefix("projects/")
    )
    return [
        RepositoryPushed(
            provider="bitbucket",
            **place,
            ref=_text(change, "ref.id"),
            before=_text(change, "fromHash"),
            after=_text(change, "toHash"),
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


def _place(page: str) -> dict[str, str]:
    parts = split_address(page, "repository")
    repository = parts.path.strip("/").removesuffix(".git")
    if parts.scheme not in ("http", "https") or not parts.netloc or not repository:
        raise Invalid(
            f"repository: {page[:200]!r} is no address of a repository's page"
        )
    return {"host": parts.netloc.lower(), "repository": repository, "url": page}


def _commits(payload: Payload) -> list[Payload] | None:
    """The commits with their file lists; None when the host left lists out."""
    listed = payload.get("commits")
    if not isinstance(listed, list):
        return None
    commits = [commit for commit in listed if isinstance(commit, Mapping)]
    whole = all(isinstance(commit.get("modified"), list) for commit in commits)
    return commits if whole and len(commits) == len(listed) else None


def _are_all(commits: list[Payload] | None, before: str) -> bool:
    """Whether the files of these commits can be all that a push changed.

    A branch that was put back to an earlier commit comes with none, and differs.
    """
    return bool(commits) and before != NO_COMMIT


def _paths(commits: Iterable[Payload]) -> list[str]:
    paths = {
        path
        for commit in commits
        for name in ("added", "modified", "removed")
        for path in _listed(commit, name)
        if isinstance(path, str)
    }
    return sorted(paths)


def _listed(commit: Payload, name: str) -> list[Any]:
    """A commit's list of files; none where the host left it out.

    Raises:
        Invalid: if it is something else.
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
    value = _at(payload, path)
    if not isinstance(value, str) or not value:
        raise Invalid(f"{path}: must be a non-empty string")
    return value


def _changes(payload: Any, path: str) -> list[Payload]:
    """The refs that were pushed together.

    Raises:
        TooLarge: if they are more than can be told at once.
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
    if not isinstance(items, list) or not all(isinstance(i, Mapping) for i in items):
        raise Invalid(f"{path}: must be a list of objects")
    return items


def _optional(payload: Any, path: str) -> str | None:
    value = _at(payload, path)
    return value if isinstance(value, str) and value else None


def _first(payload: Any, *paths: str) -> str:
    for path in paths:
        value = _optional(payload, path)
        if value is not None:
            return value
    raise Invalid(f"{paths[0]}: must be a non-empty string")
