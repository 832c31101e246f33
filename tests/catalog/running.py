"""A catalog of one's own for a test: real store, real files, real Git."""

import hashlib
import subprocess
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from services.catalog.main import create_app
from services.catalog.settings import Settings
from shared.contracts.envelope import Envelope
from shared.contracts.headers import PRINCIPAL
from shared.kit.events.bus import MemoryBus
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from tests.conftest import SECRET
from tests.waiting import until

NOWHERE = "http://127.0.0.1:1"
EVERY_KIND = (
    "[Component, API, Resource, System, Domain, Group, User, Location, Template]"
)
OPEN = f"catalog:\n  fileLocations: true\n  rules:\n    - allow: {EVERY_KIND}\n"
ANN = Principal("user:default/ann", "user", ("user:default/ann", "group:default/a"))


class Running:
    """A started catalog and somebody who asks it."""

    def __init__(self, app: Any, bus: MemoryBus, principal: Principal = ANN) -> None:
        self.app = app
        self.bus = bus
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://catalog"
        )
        self.tokens = PrincipalTokens(SECRET)
        self.principal = principal

    @property
    def work(self) -> Any:
        return self.app.state.work

    async def ask(
        self, method: str, path: str, body: Any = None, principal: Any = None
    ) -> httpx.Response:
        headers = self.headers(principal)
        return await self.http.request(method, path, json=body, headers=headers)

    def headers(self, principal: Any = None) -> dict[str, str]:
        """By which the gateway says who is asking."""
        return {PRINCIPAL: self.tokens.sign(principal or self.principal)}

    async def register(self, target: Path | str, query: str = "") -> httpx.Response:
        kind = "file" if isinstance(target, Path) else "url"
        body = {"type": kind, "target": str(target)}
        return await self.ask("POST", f"/locations{query}", body)

    async def entity(self, ref: str) -> dict[str, Any] | None:
        kind, _, rest = ref.partition(":")
        answer = await self.ask("GET", f"/entities/by-name/{kind}/{rest}")
        return answer.json() if answer.status_code == 200 else None

    async def refs(self) -> set[str]:
        answer = await self.ask("GET", "/entities?fields=kind,metadata.name")
        return {
            f"{item['kind']}:{item['metadata']['name']}".lower()
            for item in answer.json()
            if not item["metadata"]["name"].startswith("generated-")
        }

    async def problems(self, location: str) -> list[str]:
        """The messages in the status of a Location entity, by its name or its id."""
        entity = await self.entity(f"location:default/{location}")
        assert entity is not None
        items = entity.get("status", {}).get("items", [])
        return [item["message"] for item in items]

    async def history(self, ref: str) -> list[dict[str, Any]]:
        kind, _, rest = ref.partition(":")
        answer = await self.ask("GET", f"/entities/by-name/{kind}/{rest}/history")
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def published(self) -> list[Envelope]:
        """All events so far, in order; one that was delivered twice counts once."""
        await self.work.relay.drain()
        return list({event.id: event for event in self.bus.envelopes()}.values())


def settings_of(data: Path, config: str, **more: Any) -> Settings:
    """Settings with a configuration file of the given text."""
    file = data / "app-config.yaml"
    file.write_text(config)
    servers = {"kafka": "127.0.0.1:1", "mongodb": "mongodb://127.0.0.1:1", **more}
    return Settings(
        config=file,
        data=data,
        service_secret=SECRET,
        gateway_url=NOWHERE,
        catalog_url=NOWHERE,
        scaffolder_url=NOWHERE,
        techdocs_url=NOWHERE,
        search_url=NOWHERE,
        analytics_url=NOWHERE,
        port=0,
        **servers,
    )


@asynccontextmanager
async def running(
    database: Any, data: Path, config: str = OPEN, **more: Any
) -> AsyncIterator[Running]:
    """A catalog that has read what its configuration wants; with `kafka` it hears."""
    bus = None if "kafka" in more else MemoryBus()
    more.setdefault("group", f"catalog-{uuid.uuid4().hex[:8]}")
    app = create_app(settings_of(data, config, **more), database=database, bus=bus)
    async with app.router.lifespan_context(app):
        started = Running(app, bus or MemoryBus())
        await until(lambda: started.work.scans, condition="the catalog has begun")
        async with started.http:
            yield started


def write(folder: Path, name: str, *documents: Mapping[str, Any] | str) -> Path:
    """A file of these documents, or of this text."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [d if isinstance(d, str) else yaml.safe_dump(dict(d)) for d in documents]
    path.write_text("---\n".join(parts))
    return path


def pointing(name: str, *targets: str, **spec: Any) -> dict[str, Any]:
    """A Location entity."""
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Location",
        "metadata": {"name": name},
        "spec": {"targets": list(targets), **spec},
    }


class Host:
    """A Git host of type `local`, with a working copy of each repository.

    Its name is its own: pushes of other tests, which the log still has, are not to it.
    """

    def __init__(self, data: Path) -> None:
        self.name = f"git-{uuid.uuid4().hex[:8]}.example.org"
        self.bare = data / "git"
        self.copies = data / "copies"
        self.bare.mkdir()

    def config(self, rest: str = OPEN) -> str:
        return (
            f"{rest}integrations:\n  local:\n    - host: {self.name}\n"
            f"      directory: {self.bare}\n"
        )

    def discovering(self) -> str:
        return self.config(
            f"{OPEN}  providers:\n    git:\n      all:\n        host: {self.name}\n"
        )

    def commit(
        self, repository: str, files: Mapping[str, Any], message: str = "Change"
    ) -> str:
        """Write files (None: delete, a path: a link), commit and push; the commit."""
        copy, bare = self.copies / repository, self.bare / f"{repository}.git"
        if not bare.exists():
            run("git", "init", "-q", "--bare", "--initial-branch=main", bare)
            run("git", "clone", "-q", bare, copy)
            run("git", "checkout", "-q", "-B", "main", cwd=copy)
        for name, content in files.items():
            if content is None:
                (copy / name).unlink()
            elif isinstance(content, Path):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                (copy / name).unlink(missing_ok=True)
                (copy / name).symlink_to(content)
            else:
                if (copy / name).is_symlink():
                    (copy / name).unlink()
                documents = content if isinstance(content, list) else [content]
                write(copy, name, *documents)
        run("git", "add", "-A", cwd=copy)
        author = ("-c", "user.name=Bo Example", "-c", "user.email=bo@example.org")
        run("git", *author, "commit", "-q", "--allow-empty", "-m", message, cwd=copy)
        run("git", "push", "-q", "origin", "main", cwd=copy)
        return run("git", "rev-parse", "HEAD", cwd=copy)

    def rename_branch(self, repository: str, name: str) -> None:
        """Give a repository's default branch another name than main."""
        bare = self.bare / f"{repository}.git"
        run("git", "branch", "-m", "main", name, cwd=bare)

    def url(self, repository: str, path: str = "catalog-info.yaml") -> str:
        return f"https://{self.name}/{repository}/blob/main/{path}"


def run(*command: Any, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, check=True, capture_output=True
    )
    return done.stdout.decode().strip()


def generated(target: Path | str, kind: str = "file") -> str:
    """The name of the Location entity that a registration of `target` makes."""
    return "generated-" + hashlib.sha1(f"{kind}:{target}".encode()).hexdigest()
