"""OPA servers that a test may end, and gateways that ask them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.policy.opa_server import OpaServer
from tests.gateway.running import configuration, served_with_portal, settings_for

MakeOpa = Callable[..., OpaServer]
MakeGateway = Callable[..., str]


@pytest.fixture
def make_opa(servers: None, tmp_path: Path) -> Iterator[MakeOpa]:
    """Makes OPA servers, not started yet; they end with the test."""
    running_servers: list[OpaServer] = []

    def make(**settings: Any) -> OpaServer:
        running_servers.append(
            OpaServer(tmp_path / f"opa-{len(running_servers)}", **settings)
        )
        return running_servers[-1]

    yield make
    for server in running_servers:
        server.stop()


@pytest.fixture
def make_gateway(
    services: str, mongodb: str, kafka: str, tmp_path: Path
) -> Iterator[MakeGateway]:
    """Makes gateways with these settings; their addresses."""
    with ExitStack() as stack:

        def make(**settings: Any) -> str:
            folder = tmp_path / f"gateway-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            gateway_settings = settings_for(
                services, mongodb=mongodb, kafka=kafka, data=folder, **settings
            )
            return stack.enter_context(
                served_with_portal(gateway_settings, configuration())
            )

        yield make
