"""The driver's Git host: repositories without hooks, deliveries until they are taken.

Commits are written by `git fast-import`, one process each. Like a real host it sends a
webhook again, with the same number, until the portal says 202.
"""

import hashlib
import hmac
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from deploy.examples import playhouse_git
from tests.e2e.running import HOST
from tests.e2e.system import WorkingCopy
from tests.faults.driver.ledger import Ledger

ZEROS = "0" * 40
AGAIN_SECONDS = 0.5
DELIVERY_SECONDS = 10.0


class GitHost:
    """Commits, and tells the portal of them."""

    def __init__(self, data: Path, url: str, ledger: Ledger) -> None:
        self._folder = data / "git"
        self._secret = (data / "keys" / "webhook.secret").read_text().strip().encode()
        self._url = url
        self.ledger = ledger
        self._waiting: deque[dict[str, Any]] = deque()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._deliver, name="git-host")
        self._thread.start()

    def create(self, name: str) -> None:
        """A bare repository that tells nobody by itself."""
        bare = playhouse_git.create_bare(self._folder, name)
        (bare / "hooks" / "post-receive").unlink(missing_ok=True)

    def bare(self, name: str) -> WorkingCopy:
        """A repository of the host, for Git commands."""
        return WorkingCopy(self._folder / f"{name}.git")

    def commit(self, name: str, files: Mapping[str, str], message: str) -> None:
        """One commit on main; nobody is told."""
        self._commit(name, files, message)

    def push(self, name: str, files: Mapping[str, str], message: str) -> None:
        """One commit on main; the portal will be told of it."""
        before, after = self._commit(name, files, message)
        self._waiting.append(_payload(name, before, after, list(files)))

    def settled(self) -> bool:
        """Whether every delivery was taken."""
        return not self._waiting

    def close(self) -> None:
        """Stop delivering."""
        self._ending.set()
        self._thread.join()

    def _commit(
        self, name: str, files: Mapping[str, str], message: str
    ) -> tuple[str, str]:
        bare = self.bare(name)
        head = bare.git("for-each-ref", "--format=%(objectname)", "refs/heads/main")
        lines = [
            b"commit refs/heads/main\n",
            b"committer Driver <driver@playhouse.example> %d +0000\n" % time.time(),
            playhouse_git.data(message.encode()),
        ]
        if head:
            lines.append(b"from refs/heads/main^0\n")
        for path, text in files.items():
            lines.append(f"M 100644 inline {path}\n".encode())
            lines.append(playhouse_git.data(text.encode()))
        lines.append(b"done\n")
        playhouse_git.git(
            *("-C", str(bare.folder), "fast-import", "--quiet", "--done"),
            stdin=b"".join(lines),
        )
        return head or ZEROS, bare.git("rev-parse", "main")

    def _deliver(self) -> None:
        with httpx.Client(base_url=self._url, timeout=DELIVERY_SECONDS) as client:
            while not self._ending.is_set():
                if not self._waiting or not self._sent(client, self._waiting[0]):
                    self._ending.wait(AGAIN_SECONDS if self._waiting else 0.02)
                    continue
                self._waiting.popleft()

    def _sent(self, client: httpx.Client, payload: dict[str, Any]) -> bool:
        body = json.dumps(payload).encode()
        signature = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "x-gitea-event": "push",
            "x-gitea-delivery": payload["delivery"],
            "x-gitea-signature": signature,
        }
        try:
            answer = client.post("/api/webhooks/gitea", content=body, headers=headers)
        except httpx.HTTPError:
            self.ledger.count("delivery", "no answer")
            return False
        if answer.status_code == 202:
            self.ledger.count("delivery", "done")
            return True
        self.ledger.count("delivery", "refused")
        if answer.status_code != 503:
            summary = f"{answer.status_code}: {answer.text[:200]}"
            self.ledger.wonder(f"a delivery was answered {summary}")
        return False


def _payload(name: str, before: str, after: str, paths: list[str]) -> dict[str, Any]:
    """A push in Gitea's words: what the portal reads of it."""
    url = f"{HOST}/{name}"
    commit = {"id": after, "added": [], "removed": [], "modified": paths}
    return {
        "delivery": str(uuid.uuid4()),
        "ref": "refs/heads/main",
        "before": before,
        "after": after,
        "commits": [commit],
        "total_commits": 1,
        "repository": {"name": name, "full_name": name, "html_url": url},
        "pusher": {"login": "driver", "full_name": "Driver"},
    }
