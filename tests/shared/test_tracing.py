"""Traces: the context in headers and events, and the spans of work."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

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
from shared.kit.events.spans import processing, sending, traces_of
from shared.kit.http.apps import make_app
from shared.kit.observability import tracing
from shared.kit.observability.exporting import make_provider
from tests.collector import CALLER, OTHER
from tests.e2e.system import ROOT

UNSAMPLED = CALLER.removesuffix("01") + "00"


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
        patch.setattr(tracing, "_recorders", [provider.get_tracer("callboard")])
        yield exporter


def trace_ids(exporter: InMemorySpanExporter) -> list[str]:
    spans = exporter.get_finished_spans()
    return [trace.format_trace_id(span.context.trace_id) for span in spans]


@given(TRACEPARENTS, TRACESTATES)
def test_a_requests_trace_context_is_passed_on_unchanged(
    parent: str, state: str
) -> None:
    """Without recorded spans, headers go out as they came in."""
    fields = {"traceparent": parent, "tracestate": state}
    with tracing.request_trace(headers(fields)):
        assert tracing.fields() == fields
        assert tracing.trace_id() == parent.split("-")[1]
    assert tracing.fields() == {}


@given(TRACEPARENTS, TRACESTATES)
def test_an_events_trace_context_is_passed_on_unchanged(
    parent: str, state: str
) -> None:
    """Through the wire, as CloudEvents' extension for distributed tracing has it."""
    fields = {"traceparent": parent, "tracestate": state}
    raw = json.loads(event(fields).to_bytes())
    assert (raw["traceparent"], raw["tracestate"]) == (parent, state)
    with tracing.continued(Envelope.parse(json.dumps(raw).encode()).trace):
        assert tracing.fields() == fields


@given(MALFORMED, TRACESTATES)
def test_a_malformed_trace_context_is_ignored(parent: str, state: str) -> None:
    """Its tracestate too: a new trace begins, for requests and for events."""
    fields = {"traceparent": parent, "tracestate": state}
    for entered in (tracing.request_trace(headers(fields)), tracing.continued(fields)):
        with entered:
            own = tracing.fields()
            assert list(own) == ["traceparent"]
            assert own["traceparent"].split("-")[1] not in parent.lower()


def test_repeated_trace_headers_are_joined() -> None:
    """States are joined, and two parents are ignored."""
    lines = [("traceparent", CALLER), ("tracestate", "a=1"), ("tracestate", "b=2")]
    raw = [(name.encode(), text.encode()) for name, text in lines]
    with tracing.request_trace(raw):
        assert tracing.fields() == {"traceparent": CALLER, "tracestate": "a=1,b=2"}
    with tracing.request_trace([*raw, (b"traceparent", OTHER.encode())]):
        assert tracing.trace_id() not in CALLER + OTHER


def test_an_event_without_a_trace_has_no_trace_attributes() -> None:
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
def test_the_callers_sampling_decision_applies(
    parent: str, ratio: float, count: int
) -> None:
    """The ratio is for traces that begin here."""
    with recording(ratio) as exporter:
        with tracing.continued({"traceparent": parent}), tracing.span("work"):
            pass
        assert len(exporter.get_finished_spans()) == count


def test_a_span_records_an_error_without_its_message() -> None:
    """Messages may repeat secrets."""
    with recording() as exporter:
        with pytest.raises(Invalid), tracing.span("work"):
            raise Invalid("token: hunter2 is wrong")
        (span,) = exporter.get_finished_spans()
    assert not span.status.is_ok
    assert span.attributes == {"error.type": "Invalid"}
    assert "hunter2" not in span.to_json()


def test_a_batch_span_is_linked_to_every_causing_trace() -> None:
    """It belongs to the first trace; the spans of the others link to it."""
    batch = [event({"traceparent": parent}) for parent in (CALLER, OTHER, CALLER)]
    with recording() as exporter:
        with processing("entity-changed", "search", batch), tracing.span("commit"):
            pass
        spans = {span.name: span for span in exporter.get_finished_spans()}
        commit, first = spans["commit"], spans["process entity-changed"]
        linked = [span for span in exporter.get_finished_spans() if span.links]
    assert sorted(trace_ids(exporter)) == sorted([CALLER[3:35]] * 2 + [OTHER[3:35]])
    assert commit.parent == first.context
    assert [link.context for span in linked for link in span.links] == [first.context]
    assert first.attributes["messaging.batch.message_count"] == 3
    assert first.attributes["messaging.consumer.group.name"] == "search"


def test_pending_events_are_published_in_their_traces() -> None:
    """Whether the store returns them as text or as documents."""
    values = [event({"traceparent": parent}).document() for parent in (CALLER, OTHER)]
    pending = [{"value": json.dumps(values[0])}, {"value": values[1]}, {"value": {}}]
    assert traces_of(pending) == []
    with recording() as exporter, sending("entity-changed", traces_of(pending)):
        pass
    assert set(trace_ids(exporter)) == {CALLER[3:35], OTHER[3:35]}


def test_a_batch_without_a_trace_context_begins_a_trace() -> None:
    """Events of older versions have no context."""
    with recording() as exporter, processing("git-push", "catalog", [event({})]):
        own = tracing.trace_id()
    assert trace_ids(exporter) == [own]


async def test_a_requests_span_shows_its_route_and_no_secret() -> None:
    """The route as it is listed, parameters by name alone; probes leave no span."""
    with recording() as exporter:
        transport = httpx.ASGITransport(app=make_app("catalog"))
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
