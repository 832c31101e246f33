"""Pushes as the Git hosts tell them, and a body as it is signed."""

import hashlib
import hmac
from typing import Any

from tests.gateway.running import HOOK_SECRET

ZEROS, OLD, NEW = "0" * 40, "a" * 40, "b" * 40


def gitea(**changes: Any) -> dict[str, Any]:
    commit = {"id": NEW, "added": ["a.md"], "removed": ["b.md"], "modified": ["c.md"]}
    return {
        "ref": "refs/heads/main",
        "before": OLD,
        "after": NEW,
        "commits": [commit],
        "total_commits": 1,
        "repository": {
            "full_name": "payments",
            "html_url": "https://git.playhouse.example/payments",
        },
        "pusher": {"login": "ann", "full_name": "Ann Example"},
        **changes,
    }


def github(**changes: Any) -> dict[str, Any]:
    return {
        **gitea(),
        "repository": {"html_url": "https://github.com/acme/shop"},
        "pusher": {"name": "ann", "email": "ann@example.com"},
        "sender": {"login": "ann-hub"},
        "forced": False,
        **changes,
    }


def gitlab(**changes: Any) -> dict[str, Any]:
    return {
        **gitea(),
        "total_commits_count": 1,
        "project": {"web_url": "https://gitlab.com/acme/team/shop"},
        "user_username": "ann",
        "user_name": "Ann Example",
        **changes,
    }


def bitbucket(**changes: Any) -> dict[str, Any]:
    branch = {"type": "branch", "name": "main"}
    return {
        "actor": {"display_name": "Ann Example", "nickname": "ann"},
        "repository": {"links": {"html": {"href": "https://bitbucket.org/acme/shop"}}},
        "push": {
            "changes": [
                {
                    "old": {**branch, "target": {"hash": OLD}},
                    "new": {**branch, "target": {"hash": NEW}},
                },
                {
                    "old": None,
                    "new": {"type": "tag", "name": "v1", "target": {"hash": NEW}},
                },
            ]
        },
        **changes,
    }


def bitbucket_server(**changes: Any) -> dict[str, Any]:
    href = "https://bitbucket.org/projects/ACME/repos/shop/browse"
    return {
        "actor": {"name": "ann", "displayName": "Ann Example"},
        "repository": {"links": {"self": [{"href": href}]}},
        "changes": [{"ref": {"id": "refs/heads/x"}, "fromHash": OLD, "toHash": ZEROS}],
        **changes,
    }


def signed(body: bytes, secret: str = HOOK_SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
