"""What tests do with a whole portal: ask as anybody, push, hear the live stream."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.examples import playhouse_git
from tests.e2e.system import System, WorkingCopy
from tests.waiting import until_now

HOST = "https://git.playhouse.example"
ANN = "user:default/ann"  # in the group booking
BEN = "user:default/ben"  # in the group money
DEV = "user:default/dev"  # of the platform team
HUGO = "user:default/hugo"  # of corporate-development, which owns what is restricted
GUEST = "guest"
SERVICE = "service"
SECONDS = 30.0
BY_NAME = "/api/catalog/entities/by-name"

Files = Mapping[str, str | bytes]


class Portal(System):
    """A `System` with its callers, each of whom signs in once."""

    def __init__(self, data: Path, port: int, example: str = "playhouse") -> None:
        super().__init__(data, port, example)
        self._clients: dict[str, httpx.Client] = {}

    def hang_up(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def as_(self, who: str) -> httpx.Client:
        """Somebody at the API: GUEST, SERVICE, or a user's ref."""
        if who not in self._clients:
            token = self.token if who == SERVICE else self.sign_in(who)
            self._clients[who] = self.with_token(token)
        return self._clients[who]

    def with_token(self, token: str | None) -> httpx.Client:
        """Somebody with this bearer token, or with none."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=SECONDS)

    def sign_in(self, who: str) -> str:
        """A user token, as the API gives it."""
        way, body = "development", {"userEntityRef": who}
        if who == GUEST:
            way, body = "guest", {}
        answer = httpx.post(f"{self.url}/api/auth/{way}/refresh", json=body or None)
        token = answer.raise_for_status().json()["backstageIdentity"]["token"]
        return str(token)

    def get(self, path: str, who: str = SERVICE, **params: Any) -> Any:
        """The JSON of a good answer."""
        answer = self.as_(who).get(path, params=params or None)
        return answer.raise_for_status().json()

    def known(self, ref: str, who: str = SERVICE) -> dict[str, Any] | None:
        """The entity, or None where somebody finds none."""
        kind, _, rest = ref.partition(":")
        answer = self.as_(who).get(f"{BY_NAME}/{kind}/{rest}")
        if answer.status_code == 404:
            return None
        entity: dict[str, Any] = answer.raise_for_status().json()
        return entity

    def count(self, who: str = SERVICE, **params: Any) -> int:
        """How many entities somebody sees."""
        path = "/api/catalog/entities/by-query"
        return int(self.get(path, who, limit=0, **params)["totalItems"])

    def results(self, term: str, who: str = SERVICE) -> int:
        """How much somebody finds."""
        page = self.get("/api/search/query", who, term=term)
        return int(page["numberOfResults"])

    def repository(self, name: str, files: Files) -> WorkingCopy:
        """A new repository at the example's host, with one pushed commit."""
        host, workshop = self.data / "git", self.data / "workshop"
        playhouse_git.create_bare(host, name)
        playhouse_git.clone(host, workshop, name, "tess@playhouse.example", "Tess Ter")
        copy = WorkingCopy(workshop / name)
        push(copy, files, f"Begin {name}")
        return copy

    @contextmanager
    def listening(self, who: str, **query: str) -> Iterator[list[dict[str, Any]]]:
        """What somebody's live stream says, growing while it is said."""
        heard: list[dict[str, Any]] = []
        headers = {"Authorization": self.as_(who).headers["Authorization"]}
        with (
            httpx.Client(base_url=self.url, headers=headers, timeout=None) as client,
            client.stream("GET", "/api/events/stream", params=query) as stream,
        ):
            lines = stream.raise_for_status().iter_lines()
            next(lines)  # it is open: nothing is missed from here on
            listener = threading.Thread(target=_hear, args=(lines, heard), daemon=True)
            listener.start()
            yield heard


def _hear(lines: Iterator[str], heard: list[dict[str, Any]]) -> None:
    try:
        heard.extend(
            json.loads(line.removeprefix("data: "))
            for line in lines
            if line.startswith('data: {"')
        )
    except (httpx.HTTPError, httpx.StreamError):
        return  # the test is over


def push(copy: WorkingCopy, files: Files, message: str) -> None:
    """Write files, commit them, push."""
    for name, content in files.items():
        path = copy.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    copy.git("add", "--all")
    copy.git("commit", "--quiet", "-m", message)
    copy.git("push", "--quiet", "origin", "HEAD:main")


def replaced(copy: WorkingCopy, path: str, old: str, new: str) -> dict[str, str]:
    """A file with one passage replaced, ready to be pushed."""
    text = copy.read(path)
    assert text.count(old) == 1, f"{path} holds {old!r} {text.count(old)} times"
    return {path: text.replace(old, new)}


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, name and message of an error answer."""
    error = answer.json()["error"]
    return answer.status_code, str(error["name"]), str(error["message"])


def eventually(result: Callable[[], Any], description: str) -> Any:
    """What `result` returns once it is true."""
    return until_now(result, description)
