"""Traces: the context in headers and events, spans, and what reaches a collector."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.contracts.catalog import Cause, EntityDeleted
from shared.contracts.envelope import Envelope
from shared.contracts.errors import Invalid
from shared.kit.config.tracing import load_tracing, start_export
from shared.kit.events.spans import processing, sending, traces_of
from shared.kit.http.apps import make_app
from shared.kit.observability import tracing
from shared.kit.observability.exporting import make_provider
from tests.collector import Collector, collecting
from tests.e2e.system import ROOT, free_port
from tests.waiting import until_now

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = CALLER.removesuffix("01") + "00"
OTHER = "00-11111111111111111111111111111111-b7ad6b7169203331-01"


def hexadecimal(digits: int) -> st.SearchStrategy[str]:
    return st.integers(1, 16**digits - 1).map(lambda number: f"{number:0{digits}x}")


TRACEPARENTS = st.builds(
    "00-{}-{}-{}".format,
    hexadecimal(32),
    hexadecimal(16),
    st.sampled_from(["00", "01"]),
)
TRACESTATES = st.lists(
    st.from_regex(r"[a-z][a-z0-9_*/-]{0,10}=[!-+\--<>-~]{1,10}", fullmatch=True),
    min_size=1,
    max_size=8,
    unique_by=lambda member: member.partition("=")[0],
).map(",".join)
ZEROS = st.sampled_from(
    [
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        CALLER.replace("00-", "ff-", 1),
        CALLER.upper().replace("00-", "00-", 1),
        CALLER + "-more",
        CALLER + "0",
        CALLER[:-1],
        CALLER.replace("-", "_"),
    ]
)
#: What is no context at all (W3C Trace Context, section 3.2.2.5), in any text.
MALFORMED = ZEROS | st.text(st.characters(max_codepoint=255), max_size=80).filter(
    lambda text: not text.strip().startswith(("0", "1", "2", "3", "4", "5", "6", "7"))
)


def headers(fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), text.encode("latin-1")) for name, text in fields.items()]


def event(fields: Mapping[str, str]) -> Envelope:
    payload = EntityDeleted(
        entity_ref="component:default/web",
        revision=2,
        previous={},
        actor="user:default/ann",
        cause=Cause(kind="scan"),
    )
    return Envelope.of(payload, source="/catalog", subject="web", trace=fields)


@contextmanager
def recording(ratio: float | None = None) -> Iterator[InMemorySpanExporter]:
    """Spans kept in memory, as an exporter that is configured would get them."""
    exporter = InMemorySpanExporter()
    provider = make_provider("test", ratio)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "_TRACER_PROVIDER", provider)
        yield exporter


def trace_ids(exporter: InMemorySpanExporter) -> list[str]:
    spans = exporter.get_finished_spans()
    return [trace.format_trace_id(span.context.trace_id) for span in spans]


@given(TRACEPARENTS, TRACESTATES)
def test_a_requests_context_goes_on_as_it_came(parent: str, state: str) -> None:
    """Where nobody records spans, headers go out as they came in."""
    fields = {"traceparent": parent, "tracestate": state}
    with tracing.request_trace(headers(fields)):
        assert tracing.fields() == fields
        assert tracing.trace_id() == parent.split("-")[1]
    assert tracing.fields() == {}


@given(TRACEPARENTS, TRACESTATES)
def test_an_events_context_goes_on_as_it_came(parent: str, state: str) -> None:
    """Through the wire, as CloudEvents' extension for distributed tracing has it."""
    fields = {"traceparent": parent, "tracestate": state}
    raw = json.loads(event(fields).to_bytes())
    assert (raw["traceparent"], raw["tracestate"]) == (parent, state)
    with tracing.continued(Envelope.parse(json.dumps(raw).encode()).trace):
        assert tracing.fields() == fields


@given(MALFORMED, TRACESTATES)
def test_a_malformed_context_is_ignored(parent: str, state: str) -> None:
    """With its tracestate: a trace of its own begins, in requests and in events."""
    fields = {"traceparent": parent, "tracestate": state}
    for entered in (tracing.request_trace(headers(fields)), tracing.continued(fields)):
        with entered:
            own = tracing.fields()
            assert list(own) == ["traceparent"]
            assert own["traceparent"].split("-")[1] not in parent.lower()


def test_lines_of_one_header_are_read_as_one() -> None:
    """States are joined, and two parents are no parent."""
    lines = [("traceparent", CALLER), ("tracestate", "a=1"), ("tracestate", "b=2")]
    raw = [(name.encode(), text.encode()) for name, text in lines]
    with tracing.request_trace(raw):
        assert tracing.fields() == {"traceparent": CALLER, "tracestate": "a=1,b=2"}
    with tracing.request_trace([*raw, (b"traceparent", OTHER.encode())]):
        assert tracing.trace_id() not in CALLER + OTHER


def test_an_event_without_a_cause_says_nothing_of_a_trace() -> None:
    """Neither attribute is written."""
    raw = json.loads(event({}).to_bytes())
    assert not {"traceparent", "tracestate"} & set(raw)


def test_without_an_exporter_there_are_no_spans() -> None:
    """The context is the caller's inside of a span too."""
    with tracing.continued({"traceparent": CALLER}), tracing.span("work") as span:
        assert not span.is_recording()
        assert tracing.fields() == {"traceparent": CALLER}


def test_spans_nest_in_the_callers_trace() -> None:
    """Each span is the parent of those within it."""
    with recording() as exporter:
        with (
            tracing.continued({"traceparent": CALLER}),
            tracing.span("outer"),
            tracing.span("inner", {"callboard.entities": 3}),
        ):
            assert tracing.fields()["traceparent"].split("-")[1] == CALLER[3:35]
        inner, outer = exporter.get_finished_spans()
    assert trace_ids(exporter) == [CALLER[3:35]] * 2
    assert inner.parent == outer.context
    assert inner.attributes == {"callboard.entities": 3}


@pytest.mark.parametrize(
    ("parent", "ratio", "count"), [(CALLER, 0.0, 1), (UNSAMPLED, 1.0, 0), ("", 0.0, 0)]
)
def test_the_callers_decision_to_record_counts(
    parent: str, ratio: float, count: int
) -> None:
    """The ratio is for traces that begin here."""
    with recording(ratio) as exporter:
        with tracing.continued({"traceparent": parent}), tracing.span("work"):
            pass
        assert len(exporter.get_finished_spans()) == count


def test_an_error_is_noted_without_its_message() -> None:
    """Messages may repeat what is secret."""
    with recording() as exporter:
        with pytest.raises(Invalid), tracing.span("work"):
            raise Invalid("token: hunter2 is wrong")
        (span,) = exporter.get_finished_spans()
    assert not span.status.is_ok
    assert span.attributes == {"error.type": "Invalid"}
    assert "hunter2" not in span.to_json()


def test_a_batch_shows_in_every_trace_that_caused_it() -> None:
    """The work belongs to the first; the others' spans link to it."""
    batch = [event({"traceparent": parent}) for parent in (CALLER, OTHER, CALLER)]
    with recording() as exporter:
        with processing("entity-changed", "search", batch), tracing.span("commit"):
            pass
        spans = {span.name: span for span in exporter.get_finished_spans()}
        commit, first = spans["commit"], spans["process entity-changed"]
        others = [span for span in exporter.get_finished_spans() if span.links]
    assert sorted(trace_ids(exporter)) == sorted([CALLER[3:35]] * 2 + [OTHER[3:35]])
    assert commit.parent == first.context
    assert [link.context for span in others for link in span.links] == [first.context]
    assert first.attributes["messaging.batch.message_count"] == 3
    assert first.attributes["messaging.consumer.group.name"] == "search"


def test_pending_events_are_sent_in_their_traces() -> None:
    """Whether the store gives them back as text or as documents."""
    values = [event({"traceparent": parent}).document() for parent in (CALLER, OTHER)]
    pending = [{"value": json.dumps(values[0])}, {"value": values[1]}, {"value": {}}]
    assert traces_of(pending) == []
    with recording() as exporter, sending("entity-changed", traces_of(pending)):
        pass
    assert set(trace_ids(exporter)) == {CALLER[3:35], OTHER[3:35]}


def test_a_batch_without_context_has_a_trace_of_its_own() -> None:
    """Events of before there were traces."""
    with recording() as exporter, processing("git-push", "catalog", [event({})]):
        own = tracing.trace_id()
    assert trace_ids(exporter) == [own]


async def test_a_requests_span_shows_its_route_and_no_secret() -> None:
    """The route as it is listed, parameters by name alone; probes leave no span."""
    app = make_app("catalog")
    transport = httpx.ASGITransport(app=app)
    with recording() as exporter:
        async with httpx.AsyncClient(transport=transport, base_url="http://it") as it:
            await it.get("/healthz")
            await it.get(
                "/entities/by-name/component/default/web?token=hunter2&a=",
                headers={"traceparent": CALLER},
            )
        (span,) = exporter.get_finished_spans()
    assert trace_ids(exporter) == [CALLER[3:35]]
    assert span.name == "GET /entities/by-name/{kind}/{namespace}/{name}"
    assert span.attributes["http.request.method"] == "GET"
    assert span.attributes["url.query"] == "token=REDACTED&a=REDACTED"
    assert "hunter2" not in span.to_json()


def test_log_lines_carry_the_trace(capfd: pytest.CaptureFixture[str]) -> None:
    """Ours and the standard library's; a request's own id is its correlation."""
    program = (
        "import logging\n"
        "from shared.kit.observability import logs, tracing\n"
        "logs.configure('test')\n"
        f"with tracing.continued({{'traceparent': {CALLER!r}}}):\n"
        "    logs.get_logger('test').info('plain')\n"
        "    logging.getLogger('other').warning('standard')\n"
        "    with logs.correlated('r-1'):\n"
        "        logs.get_logger('test').info('named')\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert {line["trace_id"] for line in lines} == {CALLER[3:35]}
    ids = {line["event"]: line.get("correlation") for line in lines}
    assert ids == {"plain": CALLER[3:35], "standard": None, "named": "r-1"}


#: A service that prints what it has loaded, and makes a span when it is asked.
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
        until_now(self._is_up, 30, "the service")

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


def test_nothing_of_the_sdk_is_loaded_without_an_exporter(tmp_path: Path) -> None:
    """FastAPI itself loads the API; the SDK, the exporter and protobuf stay away."""
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


def test_a_collector_may_die_and_come_back(tmp_path: Path) -> None:
    """Requests are answered all the time, and later spans arrive again."""
    port = free_port()
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    with service(tmp_path, **environ) as running:
        with collecting(port) as collector:
            running.work()
            until_now(lambda: collector.named("work"), 10, "the first spans")
        for _ in range(20):
            running.work()
        with collecting(port) as collector:

            def arrived() -> bool:
                running.work(OTHER)
                return any(span.trace_id == OTHER[3:35] for span in collector.spans)

            until_now(arrived, 20, "spans after the collector came back")
        printed = running.stop()
    assert "Traceback" not in printed


def test_a_dead_collector_keeps_no_process_from_ending(tmp_path: Path) -> None:
    """What cannot be sent within the limit is lost."""
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
def test_spans_are_sent_where_that_is_configured(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """A file that is not there, or variables that switch it off: nothing is sent."""
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
def test_a_wrong_configuration_is_refused_by_its_key(
    tmp_path: Path, text: str, rule: str
) -> None:
    """Before anything is sent anywhere; sections of others are not looked at."""
    file = tmp_path / "app-config.yaml"
    file.write_text("backend: {baseUrl: '${NOT_FOR_THIS_SERVICE}'}\n")
    assert load_tracing(file, {}).endpoint is None
    file.write_text(f"tracing: {text}\n")
    with pytest.raises(Invalid, match=rule):
        load_tracing(file, {})


def test_another_protocol_is_refused(tmp_path: Path) -> None:
    """A gRPC port would never understand what is sent."""
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    with pytest.raises(Invalid, match="OTEL_EXPORTER_OTLP_PROTOCOL: must be"):
        start_export("catalog", tmp_path / "none.yaml", environ)
