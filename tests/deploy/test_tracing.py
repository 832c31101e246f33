"""The example of a collector for Docker Compose reaches every service."""

from urllib.parse import urlsplit

import yaml

from deploy.embedded.rundata import SERVICES
from tests.deploy.compose import ROOT

FILE = ROOT / "deploy" / "compose" / "tracing.yaml"


def test_every_service_sends_its_spans_to_the_collector() -> None:
    """To the OTLP port of a service of the file, over a network that both are on."""
    services = yaml.safe_load(FILE.read_text())["services"]
    assert set(services) - {"jaeger"} == set(SERVICES)
    for name in SERVICES:
        address = services[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
        endpoint = urlsplit(address)
        assert endpoint.port == 4318
        shared = set(services[name]["networks"])
        assert shared & set(services[str(endpoint.hostname)]["networks"])
