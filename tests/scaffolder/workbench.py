"""A bench for single actions: a workspace, a host of repositories, a catalog."""

import asyncio
from pathlib import Path
from typing import Any

from services.scaffolder.actions import registry
from services.scaffolder.actions.action import ActionContext, Tools
from services.scaffolder.model import Initiator
from services.scaffolder.store.repositories import GitRepositories
from services.scaffolder.store.sources import UrlSources
from services.scaffolder.workspace.folder import Workspace
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.git.url_reader import UrlReader
from tests.scaffolder.dialect.expressions import OWN_FILTERS

HOST = "git.example.test"
ANN = {
    "ref": "user:default/ann",
    "entity": {
        "spec": {"profile": {"displayName": "Ann", "email": "ann@example.test"}}
    },
}


class Bench:
    """Runs one action in one workspace."""

    def __init__(self, folder: Path, repositories: Path, catalog: Any) -> None:
        self.workspace = Workspace(folder / "workspace")
        self.workspace.prepare()
        self.catalog = catalog
        host = Integration(host=HOST, directory=repositories)
        self.mirrors = RepositoryMirrors(folder / "m", Integrations(local=[host]))
        self.lines: list[str] = []
        self.checkpoints: dict[str, Any] = {}
        self.tools = Tools(
            catalog,
            UrlSources(UrlReader([], self.mirrors)),
            GitRepositories(self.mirrors),
            OWN_FILTERS,
        )

    async def run(self, action: str, base: str | None = None, **inputs: Any) -> Any:
        resumed = inputs.pop("is_resumed", False)

        async def remember(key: str, value: Any) -> None:
            self.checkpoints[key] = value

        context = ActionContext(
            task_id="t",
            step_id="s",
            input=inputs,
            workspace=self.workspace,
            initiator=Initiator("user:default/ann"),
            user=ANN,
            template_info={"entityRef": "template:default/t", "baseUrl": base},
            tools=self.tools,
            log=self.lines.append,
            in_thread=asyncio.to_thread,
            is_resumed=resumed,
            checkpoints=dict(self.checkpoints),
            remember=remember,
        )
        await registry.load().get(action).run(context)
        return context.outputs

    def write(self, path: str, content: str = "x") -> None:
        self.workspace.write(path, content.encode())

    @property
    def files(self) -> list[str]:
        return self.workspace.files()
