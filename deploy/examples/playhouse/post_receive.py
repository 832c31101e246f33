"""A Git host's webhook in one file: the `post-receive` hook of the example's repositories.

It sends each pushed branch to the portal in Gitea's format with Gitea's signature. It uses
only the standard library, as it runs with any Python of the machine. It never fails a
push: a portal that is down finds the push by its next scan.
"""

import hashlib
import hmac
import http.client
import json
import subprocess
import sys
import uuid
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit

NO_COMMIT = "0" * 40
COMMITS_LIMIT = 50
#: Files, and the characters of their paths, that a delivery may name: the portal reads 5 MB.
FILES_LIMIT = 10_000
PATHS_LIMIT = 300_000
MESSAGE_LIMIT = 10_000
FIELDS = "%H%x00%an%x00%ae%x00%cn%x00%ce%x00%cI%x00%B"
KINDS = {"A": "added", "D": "removed"}
FILE_KINDS = ("added", "removed", "modified")


def git(*arguments):
    """The output of a Git command in the hook's repository."""
    result = subprocess.run(["git", *arguments], capture_output=True, check=True)
    return result.stdout.decode("utf-8", "replace")


def person(name, email):
    """A person in Gitea's format; the login is the part before the @, or else the name."""
    login = email.partition("@")[0] or name or "unknown"
    return {"name": name, "email": email, "username": login}


def commits_of(*options):
    """The payload's commits of a `git log` with these options, newest first.

    Fields end with NUL, which is in no field and no path, whatever their authors write.
    """
    *fields, _ = git("log", "-z", f"--format={FIELDS}", *options).split("\0")
    size = FIELDS.count("%x00") + 1
    return [commit_of(*fields[at : at + size]) for at in range(0, len(fields), size)]


def commit_of(sha, name, email, committer, committer_email, at, message):
    """One commit of the payload, without its address and files."""
    return {
        "id": sha,
        "message": message[:MESSAGE_LIMIT],
        "author": person(name, email),
        "committer": person(committer, committer_email),
        "verification": None,
        "timestamp": at,
        **{kind: [] for kind in FILE_KINDS},
    }


def add_files(commits, *options):
    """Add the files that commits changed, from a `git log` with these options.

    It lists commits, each with pairs of a letter and a path.
    """
    by_sha = {commit["id"]: commit for commit in commits}
    commit = {}
    parts = iter(
        git(
            *("log", "-z", "-m", "--root", "--no-renames", "--name-status"),
            *("--format=%H", *options),
        ).split("\0")
    )
    for part in parts:
        if part in by_sha:
            commit = by_sha[part]
        elif part:
            # The first letter of a commit comes after a line break.
            kind = KINDS.get(part.lstrip("\n"), "modified")
            commit[kind].append(next(parts))


def commits_between(before, after):
    """The pushed commits, newest first, and their number.

    A rewritten branch lists no commits, because the list would be incomplete, and one with
    very many changed files none, because the portal would refuse it: the portal reads an
    empty list as "anything may have changed". A deleted one has none either.
    """
    if after == NO_COMMIT:
        return [], 0
    span = after if before == NO_COMMIT else f"{before}..{after}"
    count = int(git("rev-list", "--count", "--first-parent", span))
    # Commits that the branch had and has no more; its histories may share none.
    if before != NO_COMMIT and git("rev-list", "-1", before, f"^{after}"):
        return [], count + 1
    options = (f"-{COMMITS_LIMIT}", "--first-parent", span)
    commits = commits_of(*options)
    add_files(commits, *options)
    paths = [path for commit in commits for kind in FILE_KINDS for path in commit[kind]]
    is_too_long = len(paths) > FILES_LIMIT or sum(map(len, paths)) > PATHS_LIMIT
    return [] if is_too_long else commits, count


def payload(settings, name, before, after, ref):
    """A push in Gitea's format."""
    url = f"{settings['url']}/{name}"
    commits, count = commits_between(before, after)
    tip = before if after == NO_COMMIT else after
    head_commit = commits[0] if commits else commits_of("-1", tip)[0]
    for commit in (*commits, head_commit):
        commit["url"] = f"{url}/commit/{commit['id']}"
    committer = head_commit["committer"]
    pusher = {
        "login": committer["username"],
        "username": committer["username"],
        "full_name": committer["name"],
        "email": committer["email"],
    }
    owner = {"login": settings["owner"], "username": settings["owner"]}
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "compare_url": f"{url}/compare/{before}...{after}",
        "commits": commits,
        "total_commits": count,
        "head_commit": head_commit,
        "repository": {
            "owner": owner,
            "name": name,
            "full_name": name,
            "private": False,
            "html_url": url,
            "clone_url": f"{url}.git",
            "default_branch": git("symbolic-ref", "--short", "HEAD").strip(),
            # Makes a later push of the same commits a different delivery.
            "updated_at": datetime.now(timezone.utc).isoformat(),
        },
        "pusher": pusher,
        "sender": pusher,
    }


def send(settings, body):
    """Post one signed delivery; raises OSError if it was refused."""
    address = urlsplit(settings["address"])
    signature = hmac.new(settings["secret"].encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Gitea-Event": "push",
        "X-Gitea-Delivery": str(uuid.uuid4()),
        "X-Gitea-Signature": signature,
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    portal = http.client.HTTPConnection(address.hostname, address.port, timeout=5)
    try:
        portal.request("POST", "/api/webhooks/gitea", body, headers)
        response = portal.getresponse()
        body_text = response.read(400).decode("utf-8", "replace")
    finally:
        portal.close()
    if response.status >= 300:
        raise OSError(f"it answered {response.status}: {body_text}")


def tell(repository, before, after, ref):
    """Send one pushed branch; on failure say so, so that the next one is sent."""
    try:
        settings = json.loads((repository.parent / "hook.json").read_text("utf-8"))
        name = repository.name.removesuffix(".git")
        push = payload(settings, name, before, after, ref)
        send(settings, json.dumps(push).encode())
    except (
        OSError,
        ValueError,
        http.client.HTTPException,
        subprocess.CalledProcessError,
    ) as problem:
        print(
            f"the portal was not told ({problem}); it will see the push at its next "
            "scan",
            file=sys.stderr,
        )


def main():
    """Read `before after ref` lines, which Git passes to the hook."""
    repository = Path.cwd()
    for line in sys.stdin.read().splitlines():
        before, after, ref = line.split(" ", 2)
        if ref.startswith("refs/heads/"):
            tell(repository, before, after, ref)


if __name__ == "__main__":
    main()
