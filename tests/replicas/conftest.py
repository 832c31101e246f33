"""One installation of two replicas each, for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.kit.config.servers import Server
from tests.replicas.installation import Installation

EXPECTED = 60


@pytest.fixture(scope="package")
def two(
    servers: None,
    kafka: str,
    mongodb: str,
    opensearch: Server,
    opa: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    """Two of each service, with the example loaded."""
    engines = {
        "CALLBOARD_KAFKA": kafka,
        "CALLBOARD_MONGODB": mongodb,
        "CALLBOARD_OPENSEARCH": opensearch.address,
        "CALLBOARD_OPA": opa,
    }
    folder: Path = tmp_path_factory.mktemp("replicas")
    installation = Installation(folder, engines)
    try:
        installation.up()
        installation.loaded(EXPECTED)
        yield installation
    finally:
        installation.down()
