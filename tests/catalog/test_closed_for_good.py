"""Whatever its owners push, what was hidden stays so until they say otherwise."""

import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.scanning import DesiredLocations, scan
from tests.catalog.running import Host, Running, pointing, running
from tests.catalog.test_refused_sources import refused
from tests.catalog.test_repository_names import FILE, provider, push
from tests.catalog.test_source_rights import entity, readable

STEPS = 7
HIDDEN, TAKEN = refused("hidden"), refused("goal")
#: What the descriptor may say that is no entity for everybody.
TEXTS: dict[str, Any] = {
    "hidden": HIDDEN,
    "taken": TAKEN,
    "broken": "kind: [\n",
    "empty": "# Nothing\n",
    "another hidden one": refused("hidden-too"),
}


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    """Somebody has a name that others then want."""
    host.commit("goal", {FILE: entity("goal")})
    async with running(database, data, host.discovering()) as started:
        yield started


class Owners:
    """A repository as its owners change it: a hidden folder and a visible neighbour."""

    def __init__(self, catalog: Running, host: Host, seed: int) -> None:
        self.catalog = catalog
        self.host = host
        self.random = random.Random(seed)
        self.folder, self.name = "svc", "h.yaml"
        self.text: Any = HIDDEN
        self.steps: list[str] = []

    def location(self) -> list[Any]:
        return [
            pointing("all", f"./{self.folder}/{self.name}", "./b/info.yaml"),
            entity("around"),
        ]

    async def pushes(self, files: dict[str, Any]) -> None:
        present = self.host.copies / "hush"
        changed = {
            name: content
            for name, content in files.items()
            if content is not None or (present / name).exists()
        }
        self.host.commit("hush", changed)
        await push(self.catalog, self.host, "hush", *changed)

    async def start(self) -> None:
        text = {f"{self.folder}/{self.name}": self.text, f"{self.folder}/x": "x\n"}
        files = {"b/info.yaml": entity("web"), FILE: self.location(), **text}
        await self.pushes(files)

    async def edit_neighbour(self) -> None:
        kind = self.random.choice(["website", "library", "service"])
        await self.pushes({"b/info.yaml": entity("web", type=kind)})

    async def edit_descriptor(self) -> None:
        self.text = TEXTS[self.random.choice(sorted(TEXTS))]
        await self.pushes({f"{self.folder}/{self.name}": self.text})

    async def remove_descriptor(self) -> None:
        self.text = None
        await self.pushes({f"{self.folder}/{self.name}": None})

    async def rename_descriptor(self) -> None:
        old = f"{self.folder}/{self.name}"
        self.name = "i.yaml" if self.name == "h.yaml" else "h.yaml"
        await self.pushes({old: None, f"{self.folder}/{self.name}": self.text})

    async def move_folder(self) -> None:
        if self.text not in (HIDDEN, TAKEN, TEXTS["another hidden one"]):
            # Git cannot tell where a folder went without its descriptor.
            return
        old = self.folder
        self.folder = self.random.choice(["srv", "a/svc", "svc"])
        if old != self.folder:
            files = {self.name: self.text, "x": "x\n"}
            moved = {f"{self.folder}/{name}": text for name, text in files.items()}
            await self.pushes({**{f"{old}/{name}": None for name in files}, **moved})

    async def edit_location(self) -> None:
        documents = self.random.choice(
            [
                self.location(),
                self.location()[:1],
                [entity("around")],
                [pointing("all", "./b/info.yaml")],
                None,
            ]
        )
        await self.pushes({FILE: documents})

    async def scan(self) -> None:
        desired = DesiredLocations((), (provider(self.host),))
        problems: list[tuple[str, str]] = []
        await scan(self.catalog.work.catalog, desired, 1, lambda *p: problems.append(p))

    async def restart(self) -> None:
        context = self.catalog.work.catalog
        for root in await context.roots.load(list(context.state.roots)):
            context.state.put_root(root)

    async def step(self) -> None:
        actions: list[Callable[[], Any]] = [
            self.edit_neighbour,
            self.edit_descriptor,
            self.remove_descriptor,
            self.rename_descriptor,
            self.move_folder,
            self.edit_location,
            self.scan,
            self.restart,
        ]
        action = self.random.choice(actions)
        self.steps.append(action.__name__)
        await action()


@pytest.mark.parametrize("seed", range(8))
async def test_nothing_opens_what_was_hidden(
    catalog: Running, host: Host, seed: int
) -> None:
    """Its folder stays closed to strangers after every step of its owners."""
    owners = Owners(catalog, host, seed)
    await owners.start()
    assert "component:hidden" in await catalog.refs()
    for _ in range(STEPS):
        await owners.step()
        url = host.url("hush", f"{owners.folder}/x")
        assert not await readable(catalog, url), owners.steps
