"""The real engines, once per session, and the small things every suite needs."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from deploy.embedded import engines
from shared.kit import mongo
from shared.kit.auth import HEADER, Principal, PrincipalTokens

SECRET = "a-secret-for-tests-only-0123456789abcdef"
#: Folders whose tests share one running portal.
WHOLE = ("tests/e2e/", "tests/faults/")
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def engine_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="session")
def mongodb(engine_folder: Path) -> Iterator[str]:
    """The address of a document store."""
    log = engine_folder / "documents.log"
    engine = engines.start_documents(engine_folder / "documents", log)
    yield engine.address
    engine.stop()


@pytest.fixture(scope="session")
def kafka(engine_folder: Path) -> Iterator[str]:
    """The address of an event log."""
    engine = engines.start_broker(engine_folder / "broker", engine_folder / "b.log")
    yield engine.address
    engine.stop()


@pytest.fixture
async def database(mongodb: str) -> AsyncIterator[Any]:
    """An empty database."""
    client = mongo.connect(mongodb)
    name = f"test_{next(_numbers)}_{id(client)}"
    yield client[name]
    await client.drop_database(name)
    client.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An empty data folder."""
    return tmp_path


@pytest.fixture
def secret() -> str:
    return SECRET


@pytest.fixture
def tokens() -> PrincipalTokens:
    return PrincipalTokens(SECRET)


@pytest.fixture
def principal_headers(tokens: PrincipalTokens) -> Callable[..., dict[str, str]]:
    """The header by which the gateway says who is asking."""

    def headers(
        subject: str = "user:default/ann",
        ownership: tuple[str, ...] = ("user:default/ann", "group:default/team-a"),
        conditions: Mapping[str, Any] | None = None,
        kind: str = "user",
        permission: str | None = None,
    ) -> dict[str, str]:
        principal = Principal(
            subject=subject,
            kind=kind,  # type: ignore[arg-type]
            ownership=ownership,
            permission=permission,
            decision="conditional" if conditions is not None else "allow",
            conditions=conditions,
        )
        return {HEADER: tokens.sign(principal)}

    return headers


class _TogetherScheduling(LoadScopeScheduling):
    """Keeps a file's tests in one process, and all journeys in one: one portal."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", maxsplit=1)[0]
        return next((folder for folder in WHOLE if path.startswith(folder)), path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How the tests are shared out among processes."""
    return _TogetherScheduling(config, log)
