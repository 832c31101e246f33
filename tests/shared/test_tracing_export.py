"""What reaches a collector: the spans of a process, and where they are sent."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.contracts.errors import Invalid
from shared.kit.config.tracing import load_tracing, start_export
from tests.collector import CALLER, OTHER, Collector, collecting
from tests.e2e.system import ROOT, free_port
from tests.waiting import until_now

#: A service that answers with its loaded modules, and makes a span for each request.
SERVICE = """
import sys
from pathlib import Path
from types import SimpleNamespace
from shared.kit.http.apps import make_app
from shared.kit.http.serving import serve
from shared.kit.observability import tracing

def create_app():
    app = make_app("probe")

    @app.get("/work")
    async def work() -> dict[str, list[str]]:
        with tracing.span("work"):
            return {"modules": sorted(sys.modules)}

    return app

settings = SimpleNamespace(
    log_level="info",
    host="127.0.0.1",
    port=int(sys.argv[1]),
    connections_per_client=10,
    data=Path(sys.argv[2]),
    config=Path(sys.argv[2]) / "app-config.yaml",
)
serve("probe", create_app, settings)
"""


class Service:
    """The service above in a process of its own."""

    def __init__(self, data: Path, configuration: str, **environ: str) -> None:
        (data / "app-config.yaml").write_text(configuration)
        self.url = f"http://127.0.0.1:{free_port()}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVICE, self.url.rpartition(":")[2], str(data)],
            cwd=ROOT,
            env={**clean, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        until_now(self._is_up, "the service")

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").is_success
        except httpx.TransportError:
            return self.process.poll() is not None

    def work(self, parent: str = CALLER) -> Any:
        answer = httpx.get(f"{self.url}/work", headers={"traceparent": parent})
        return answer.raise_for_status().json()

    def stop(self) -> str:
        """What it printed until its end."""
        self.process.send_signal(signal.SIGTERM)
        printed, _ = self.process.communicate(timeout=20)
        return str(printed)


@contextmanager
def service(data: Path, configuration: str = "", **environ: str) -> Iterator[Service]:
    running = Service(data, configuration, **environ)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def test_the_sdk_is_not_imported_without_an_exporter(tmp_path: Path) -> None:
    """FastAPI itself imports the API; SDK, exporter and protobuf are not imported."""
    with service(tmp_path) as running:
        modules = running.work()["modules"]
    heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "google", "requests")
    assert [name for name in modules if name.startswith(heavy)] == []


def traced(collector: Collector) -> str:
    return (
        f"tracing:\n  endpoint: {collector.endpoint}\n  serviceName: stage\n"
        "  headers: {x-key: '${COLLECTOR_KEY}'}\n"
    )


def test_a_collector_gets_the_spans_of_a_process(tmp_path: Path) -> None:
    """With the configured headers and name, at the latest when the process ends."""
    with (
        collecting() as collector,
        service(tmp_path, traced(collector), COLLECTOR_KEY="hunter2") as running,
    ):
        running.work()
        printed = running.stop()
        (server,) = collector.named("GET /work")
        (work,) = collector.named("work")
        assert collector.headers[0]["x-key"] == "hunter2"
    assert (server.service, server.parent_id) == ("stage-probe", CALLER[36:52])
    assert (work.trace_id, work.parent_id) == (CALLER[3:35], server.span_id)
    assert "hunter2" not in printed


def test_a_restarted_collector_gets_later_spans(tmp_path: Path) -> None:
    """Requests are answered all the time."""
    port = free_port()
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    with service(tmp_path, **environ) as running:
        with collecting(port) as collector:
            running.work()
            until_now(lambda: collector.named("work"), "the first spans")
        for _ in range(20):
            running.work()
        with collecting(port) as collector:

            def arrived() -> bool:
                running.work(OTHER)
                return any(span.trace_id == OTHER[3:35] for span in collector.spans)

            until_now(arrived, "spans after the collector came back")
        printed = running.stop()
    assert "Traceback" not in printed


def test_a_dead_collector_does_not_delay_a_stop(tmp_path: Path) -> None:
    """Spans that cannot be sent within the limit are lost."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with service(tmp_path, **environ) as running:
        for _ in range(20):
            running.work()
        printed = running.stop()
    assert "ended_by_force" not in printed
    assert running.process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"},
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
            "OTEL_TRACES_EXPORTER": "none",
        },
    ],
)
def test_spans_are_only_sent_if_configured(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """A missing file, or variables that disable it: nothing is sent."""
    assert start_export("catalog", tmp_path / "none.yaml", environ) is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("{endpoint: 'collector:4318'}", "tracing.endpoint: .*must be an address"),
        ("{endpoint: 'http://a:b@c:4318'}", "tracing.endpoint: .*no user in it"),
        ("{samplingRatio: 2}", "tracing.samplingRatio: .*less than or equal to 1"),
        ("{endpoint: '${NO_SUCH}'}", "tracing.endpoint: .*no variable NO_SUCH"),
    ],
)
def test_an_invalid_tracing_configuration_names_its_key(
    tmp_path: Path, text: str, rule: str
) -> None:
    """Nothing is sent before; sections of other programs are not read."""
    file = tmp_path / "app-config.yaml"
    file.write_text("backend: {baseUrl: '${NOT_FOR_THIS_SERVICE}'}\n")
    assert load_tracing(file, {}).endpoint is None
    file.write_text(f"tracing: {text}\n")
    with pytest.raises(Invalid, match=rule):
        load_tracing(file, {})


def test_another_export_protocol_is_refused(tmp_path: Path) -> None:
    """A gRPC port would not understand the spans."""
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    with pytest.raises(Invalid, match="OTEL_EXPORTER_OTLP_PROTOCOL: must be"):
        start_export("catalog", tmp_path / "none.yaml", environ)
