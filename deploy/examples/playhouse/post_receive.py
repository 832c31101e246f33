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
FIELDS = "%H%x02%an%x02%ae%x02%cn%x02%ce%x02%cI%x02%B%x02"
KINDS = {"A": "added", "D": "removed"}


def git(*arguments):
    """The output of a Git command in the hook's repository."""
    result = subprocess.run(["git", *arguments], capture_output=True, check=True)
    return result.stdout.decode("utf-8", "replace")


def person(name, email):
    """A person in Gitea's format; the login is the part before the @."""
    return {"name": name, "email": email, "username": email.partition("@")[0]}


def commit_of(record, url):
    """One commit of the payload, from a record of `git log`."""
    sha, name, email, committer, committer_email, at, message, files = record.split(
        "\x02", 7
    )
    commit = {
        "id": sha,
        "message": message,
        "url": f"{url}/commit/{sha}",
        "author": person(name, email),
        "committer": person(committer, committer_email),
        "verification": None,
        "timestamp": at,
        "added": [],
        "removed": [],
        "modified": [],
    }
    parts = files.strip("\0\n").split("\0")
    for status, path in zip(parts[::2], parts[1::2]):
        commit[KINDS.get(status[:1], "modified")].append(path)
    return commit


def commits_between(before, after, url):
    """The pushed commits, newest first, and their number.

    A rewritten branch lists no commits, because the list would be incomplete: the portal
    reads an empty list as "anything may have changed". A deleted one has none either.
    """
    if after == NO_COMMIT:
        return [], 0
    span = after if before == NO_COMMIT else f"{before}..{after}"
    count = int(git("rev-list", "--count", "--first-parent", span))
    # Commits that the branch had and has no more; its histories may share none.
    if before != NO_COMMIT and git("rev-list", "-1", before, f"^{after}"):
        return [], count + 1
    log = git(
        *("log", f"-{COMMITS_LIMIT}", "--first-parent", "-m", "--root", "-z"),
        *("--no-renames", "--name-status", f"--format=%x01{FIELDS}", span),
    )
    return [commit_of(record, url) for record in log.split("\x01")[1:]], count


def payload(settings, name, before, after, ref):
    """A push in Gitea's format."""
    url = f"{settings['url']}/{name}"
    commits, count = commits_between(before, after, url)
    tip = before if after == NO_COMMIT else after
    head_commit = (
        commits[0]
        if commits
        else commit_of(git("log", "-1", f"--format={FIELDS}", tip), url)
    )
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


def main():
    """Read `before after ref` lines, which Git passes to the hook."""
    repository = Path.cwd()
    try:
        settings = json.loads((repository.parent / "hook.json").read_text("utf-8"))
        for line in sys.stdin.read().splitlines():
            before, after, ref = line.split(" ", 2)
            if not ref.startswith("refs/heads/"):
                continue
            push = payload(
                settings, repository.name.removesuffix(".git"), before, after, ref
            )
            send(settings, json.dumps(push).encode())
    except (OSError, ValueError, http.client.HTTPException) as problem:
        print(
            f"the portal was not told ({problem}); it will see the push at its next "
            "scan",
            file=sys.stderr,
        )
    except subprocess.CalledProcessError as problem:
        print(f"the portal was not told: {problem}", file=sys.stderr)


if __name__ == "__main__":
    main()
