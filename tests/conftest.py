"""The real engines, once per session, and the fixtures that every suite needs."""

import asyncio
import contextlib
import functools
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import httpx
import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from deploy.embedded import engines
from deploy.engines import documents
from deploy.engines import kafka as event_log
from deploy.engines import opa as opa_server
from deploy.engines import opensearch as index_server
from deploy.engines.engine import Engine
from deploy.engines.security import ServerSecurity, guard
from shared.contracts import permissions
from shared.contracts.errors import Unauthenticated
from shared.contracts.headers import PRINCIPAL
from shared.kit.config.servers import Server
from shared.kit.documents import mongo
from shared.kit.events import topics
from shared.kit.http.service_tokens import Grant, Principal, PrincipalTokens
from tests.disk import CannotMount, SmallDisk

# anyio imports its parts as they are used first. Deep in a request, pytest's parsing of
# them may meet a collection, on which Python 3.11 fails (recursion depth mismatch).
for part in dir(anyio):
    getattr(anyio, part)

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile(
    "callboard",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("callboard")

SECRET = "a-secret-for-tests-only-0123456789abcdef"
#: Folders whose tests share one running portal.
WHOLE = ("tests/e2e/", "tests/faults/")
TESTS = Path(__file__).parent
#: Folders whose tests start engines, or portals with all of them.
FOLDERS_WITH_ENGINES = frozenset(
    {"analytics", "backup", "deploy", "e2e", "engines", "faults", "replicas", "search"}
)
#: Modules that a file imports to start engines of its own.
ENGINE_MODULES = ("deploy.embedded", "deploy.engines", "tests.shared.documents")
#: `make test ENGINES=servers`: on real servers, the tests that come to an engine.
SERVERS = os.environ.get("CALLBOARD_ENGINES", "embedded") == "servers"
MEMORY = Path("/dev/shm")
ROOM_BYTES = (4 if SERVERS else 2) * 1024**3
_numbers = itertools.count(1)
ABOUT_ENTITIES = frozenset({permissions.ENTITY_READ, permissions.SOURCE_READ})
HIDDEN = {
    "rule": "HAS_ANNOTATION",
    "resourceType": "catalog-entity",
    "params": {"annotation": "callboard.dev/visibility", "value": "restricted"},
}


@pytest.fixture(scope="session")
def engine_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the engines' state; in memory if possible.

    On a disk that is busy with the files of the set-up, a store may hang for seconds.
    """
    if MEMORY.is_dir() and disk_usage(MEMORY).free > ROOM_BYTES:
        with TemporaryDirectory(prefix="callboard-test-", dir=MEMORY) as folder:
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp("engines")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk at `tmp_path / "disk"`."""
    try:
        disk = SmallDisk(tmp_path / "disk", megabytes=16)
    except CannotMount as error:
        pytest.skip(str(error))
    try:
        yield disk
    finally:
        disk.close()


@pytest.fixture(scope="session")
def servers() -> None:
    """Skips tests that need real servers if the run uses embedded engines."""
    if not SERVERS:
        pytest.skip("needs ENGINES=servers")


@pytest.fixture(scope="session")
def mongodb(engine_folder: Path) -> Iterator[str]:
    """The address of a document store."""
    folder, log = engine_folder / "documents", engine_folder / "documents.log"
    start = documents.start if SERVERS else engines.start_documents
    with running(start(folder, log)) as engine:
        yield engine.address + ("" if SERVERS else engines.UNSYNCED)


@pytest.fixture(scope="session")
def kafka(engine_folder: Path) -> Iterator[str]:
    """The address of an event log."""
    folder, log = engine_folder / "broker", engine_folder / "broker.log"
    if not SERVERS:
        with running(engines.start_broker(folder, log)) as engine:
            yield engine.address
        return
    with running(event_log.start(folder, log, auto_create=True)) as engine:
        asyncio.run(topics.ensure(engine.server))
        yield engine.address


@pytest.fixture(scope="session")
def opensearch(servers: None, engine_folder: Path) -> Iterator[Server]:
    """An OpenSearch without a login."""
    folder, log = engine_folder / "opensearch", engine_folder / "opensearch.log"
    with running(index_server.start(folder, log)) as engine:
        yield engine.server


@pytest.fixture(scope="session")
def opa(servers: None, engine_folder: Path) -> Iterator[str]:
    """The address of an OPA with our policies."""
    folder, log = engine_folder / "opa", engine_folder / "opa.log"
    with running(opa_server.start(folder, log)) as engine:
        yield engine.address


@pytest.fixture(scope="session")
def secure(servers: None, engine_folder: Path) -> ServerSecurity:
    """The user, the certificate and the authority of all secured servers."""
    return guard(engine_folder / "guard")


@pytest.fixture(scope="session")
def secured_mongodb(secure: ServerSecurity, engine_folder: Path) -> Iterator[Server]:
    """A document store behind TLS and SCRAM-SHA-256."""
    folder, log = engine_folder / "documents-secured", engine_folder / "documents.log"
    with running(documents.start(folder, log, secure=secure)) as engine:
        yield engine.server


@pytest.fixture(scope="session")
def secured_kafka(secure: ServerSecurity, engine_folder: Path) -> Iterator[Server]:
    """An event log behind TLS and SCRAM-SHA-512."""
    folder, log = engine_folder / "broker-secured", engine_folder / "broker.log"
    started = event_log.start(folder, log, secure=secure, auto_create=True)
    with running(started) as engine:
        yield engine.server


@pytest.fixture(scope="session")
def secured_opensearch(secure: ServerSecurity, engine_folder: Path) -> Iterator[Server]:
    """An OpenSearch behind TLS and a password."""
    folder, log = engine_folder / "opensearch-secured", engine_folder / "opensearch.log"
    with running(index_server.start(folder, log, secure=secure)) as engine:
        yield engine.server


@pytest.fixture(scope="session")
def secured_opa(secure: ServerSecurity, engine_folder: Path) -> Iterator[Server]:
    """An OPA behind TLS and a bearer token, with our policies."""
    folder, log = engine_folder / "opa-secured", engine_folder / "opa.log"
    with running(opa_server.start(folder, log, secure=secure)) as engine:
        yield engine.server


@contextmanager
def running(engine: Engine) -> Iterator[Engine]:
    """An engine, until the session ends."""
    try:
        yield engine
    finally:
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
    """Makes the header by which the gateway names the caller."""

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
        # A test may wait for an engine for longer than a request's token lives.
        return {PRINCIPAL: tokens.sign(principal, seconds=3600)}

    return headers


@pytest.fixture(autouse=True, scope="session")
def _gateways_part() -> Iterator[None]:
    """Add the route's permission to principals without one, as the gateway does.

    It applies to apps in this process; tests of wrong permissions name one.
    """
    plain = httpx.ASGITransport.handle_async_request

    async def handle_with_permission(
        self: httpx.ASGITransport, request: httpx.Request
    ) -> Any:
        name = getattr(getattr(self.app, "state", None), "name", "")
        token = request.headers.get(PRINCIPAL)
        if token and name in permissions.ROUTES:
            with contextlib.suppress(Unauthenticated):
                completed = _completed(self.app.state.tokens, token, name, request)
                request.headers[PRINCIPAL] = completed
        return await plain(self, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            httpx.ASGITransport, "handle_async_request", handle_with_permission
        )
        yield


def _completed(
    tokens: PrincipalTokens, token: str, plugin: str, request: httpx.Request
) -> str:
    principal = tokens.verify(token)
    if principal.permission is not None or principal.is_service:
        return token
    need = permissions.need_of(plugin, request.method, request.url.path)
    grants = {name: Grant("allow") for name in need.also}
    if principal.conditions is not None:
        grants |= dict.fromkeys(grants.keys() & ABOUT_ENTITIES, _reading(principal))
    also = {**grants, **principal.also}
    return tokens.sign(replace(principal, permission=need.permission, also=also))


def _reading(principal: Principal) -> Grant:
    """Read rights for the entities of the principal's conditions and for open ones."""
    return Grant("conditional", {"anyOf": [{"not": HIDDEN}, principal.conditions]})


class _TogetherScheduling(LoadScopeScheduling):
    """Runs a file's tests in one process, and all journeys in one with one portal."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", maxsplit=1)[0]
        return next((folder for folder in WHOLE if path.startswith(folder)), path)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """On real servers, leave out the files whose tests never come to an engine."""
    if not SERVERS:
        return
    with_engines = {item.path for item in items if _comes_to_an_engine(item)}
    config.hook.pytest_deselected(
        items=[item for item in items if item.path not in with_engines]
    )
    items[:] = [item for item in items if item.path in with_engines]


@functools.cache
def _starts_engines(path: Path) -> bool:
    folder = path.relative_to(TESTS).parts[0]
    text = path.read_text()
    return folder in FOLDERS_WITH_ENGINES or any(
        name in text for name in ENGINE_MODULES
    )


def _comes_to_an_engine(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return "engine_folder" in fixtures or _starts_engines(item.path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Distribute the tests among processes."""
    return _TogetherScheduling(config, log)
