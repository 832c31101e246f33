"""A Git host's webhook in one file: what `post-receive` of the example's repositories runs.

Tells the portal of each pushed branch in Gitea's format, signed as Gitea signs it. Only the
standard library, since it runs with whatever Python the pushing machine has. It never
fails a push: a portal that is down hears of it by its next scan.
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

NOTHING = "0" * 40
MOST_COMMITS = 50
FIELDS = "%H%x02%an%x02%ae%x02%cn%x02%ce%x02%cI%x02%B%x02"
KINDS = {"A": "added", "D": "removed"}


def git(*arguments):
    """What Git says about the repository this hook stands in."""
    done = subprocess.run(["git", *arguments], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def person(name, email):
    """Somebody in Gitea's words; the login is what stands before the @."""
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
    """The pushed commits, newest first, and how many they are.

    A rewritten branch names no commits: what it took back stands in none of them, and an
    incomplete list is read as "anything may have changed".
    """
    span = after if before == NOTHING else f"{before}..{after}"
    count = int(git("rev-list", "--count", "--first-parent", span))
    if before != NOTHING and git("merge-base", before, after).strip() != before:
        return [], count + 1
    log = git(
        *("log", f"-{MOST_COMMITS}", "--first-parent", "-m", "--root", "-z"),
        *("--no-renames", "--name-status", f"--format=%x01{FIELDS}", span),
    )
    return [commit_of(record, url) for record in log.split("\x01")[1:]], count


def payload(settings, name, before, after, ref):
    """A push in Gitea's words."""
    url = f"{settings['url']}/{name}"
    commits, count = commits_between(before, after, url)
    head = (
        commits[0]
        if commits
        else commit_of(git("log", "-1", f"--format={FIELDS}", after), url)
    )
    by = head["committer"]
    pusher = {
        "login": by["username"],
        "username": by["username"],
        "full_name": by["name"],
        "email": by["email"],
    }
    owner = {"login": settings["owner"], "username": settings["owner"]}
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "compare_url": f"{url}/compare/{before}...{after}",
        "commits": commits,
        "total_commits": count,
        "head_commit": head,
        "repository": {
            "owner": owner,
            "name": name,
            "full_name": name,
            "private": False,
            "html_url": url,
            "clone_url": f"{url}.git",
            "default_branch": git("symbolic-ref", "--short", "HEAD").strip(),
            # The same commits may be pushed again later: that is another delivery.
            "updated_at": datetime.now(timezone.utc).isoformat(),
        },
        "pusher": pusher,
        "sender": pusher,
    }


def send(settings, body):
    """Posts one signed delivery; raises OSError where it was not taken."""
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
        answer = portal.getresponse()
        said = answer.read(400).decode("utf-8", "replace")
    finally:
        portal.close()
    if answer.status >= 300:
        raise OSError(f"it answered {answer.status}: {said}")


def main():
    """Reads `before after ref` lines as Git gives them to the hook."""
    here = Path.cwd()
    try:
        settings = json.loads((here.parent / "hook.json").read_text("utf-8"))
        for line in sys.stdin.read().splitlines():
            before, after, ref = line.split(" ", 2)
            if after == NOTHING or not ref.startswith("refs/heads/"):
                continue
            told = payload(settings, here.name.removesuffix(".git"), before, after, ref)
            send(settings, json.dumps(told).encode())
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
