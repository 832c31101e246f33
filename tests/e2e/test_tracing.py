"""One cause is one trace, from the front door to the last service that it concerns."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.collector import Collector, ReceivedSpan, collecting
from tests.e2e.running import BEN, SERVICE, Portal, eventually, push, replaced
from tests.e2e.system import free_port, working_copy

PUSH = {
    ("gateway", "POST /api/webhooks/{provider}"),
    ("gateway", "send git-push"),
    ("catalog", "process git-push"),
    ("catalog", "read push"),
    ("catalog", "ingest location"),
    ("catalog", "git fetch"),
    ("catalog", "store entities"),
    ("catalog", "send entity-changed"),
    ("search", "process entity-changed"),
    ("techdocs", "process git-push"),
    ("techdocs", "build docs"),
    ("techdocs", "git fetch"),
    ("techdocs", "send docs-built"),
    ("search", "process docs-built"),
    ("search", "GET techdocs"),
}
RUN = {
    ("gateway", "POST /api/scaffolder/v2/tasks"),
    ("scaffolder", "POST /v2/tasks"),
    ("scaffolder", "template run"),
    ("scaffolder", "step fetch:template"),
    ("scaffolder", "step publish:git"),
    ("scaffolder", "step catalog:write"),
    ("scaffolder", "git fetch"),
    ("scaffolder", "git push"),
    ("scaffolder", "GET gateway"),
    ("scaffolder", "send template-run"),
    ("gateway", "GET /api/catalog/entities/by-name/{kind}/{namespace}/{name}"),
    ("catalog", "GET /entities/by-name/{kind}/{namespace}/{name}"),
}


@dataclass(frozen=True, slots=True)
class TracedPortal:
    """A portal and the collector that all its services send their spans to."""

    portal: Portal
    collector: Collector

    def whole(
        self, root: str, expected: set[tuple[str, str]], text: str
    ) -> list[ReceivedSpan]:
        """The trace that began with `root` last, once all expected spans are there."""

        def look() -> list[ReceivedSpan]:
            roots = [span for span in self.collector.named(root) if not span.parent_id]
            spans = self.collector.trace(roots[-1].trace_id) if roots else []
            return spans if expected <= names(spans) else []

        try:
            spans: list[ReceivedSpan] = eventually(look, text)
        except AssertionError:
            pytest.fail(f"{text}: {sorted(expected - self._latest(root))} are missing")
        return spans

    def _latest(self, root: str) -> set[tuple[str, str]]:
        roots = [span for span in self.collector.named(root) if not span.parent_id]
        return names(self.collector.trace(roots[-1].trace_id)) if roots else set()


def names(spans: list[ReceivedSpan]) -> set[tuple[str, str]]:
    return {(span.service.removeprefix("callboard-"), span.name) for span in spans}


def roots(spans: list[ReceivedSpan]) -> list[str]:
    """The names of spans whose parent is not in the trace: one, if it is whole."""
    ids = {span.span_id for span in spans}
    return [span.name for span in spans if span.parent_id not in ids]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TracedPortal]:
    """A portal of its own, for recording spans is switched on at the start."""
    portal = Portal(tmp_path_factory.mktemp("traced") / "data", free_port())
    with collecting() as collector, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        portal.up()
        try:
            yield TracedPortal(portal, collector)
        finally:
            portal.hang_up()
            portal.down()


def test_a_push_is_one_trace_up_to_search(traced: TracedPortal) -> None:
    """Descriptor and docs: read, stored, published, indexed and built in one trace."""
    word = f"word{secrets.token_hex(4)}"
    copy = working_copy(traced.portal, "payments")
    entity = traced.portal.known("component:default/payments")
    assert entity is not None
    before = str(entity["metadata"]["description"])
    # The build that follows the start would take the push's commit for its own.
    site = "/api/techdocs/metadata/techdocs/default/component/payments"
    client = traced.portal.as_(SERVICE)
    eventually(lambda: client.get(site).status_code == 200, "the site as it was")
    files = replaced(copy, "catalog-info.yaml", before, f"{before} {word}")
    page = next((copy.folder / "docs").rglob("*.md")).relative_to(copy.folder)
    files[str(page)] = f"{copy.read(str(page))}\nAlso {word}.\n"
    push(copy, files, f"Say {word}")
    eventually(lambda: traced.portal.results(word) > 1, "search finds entity and docs")
    spans = traced.whole("POST /api/webhooks/{provider}", PUSH, "the push's trace")
    assert roots(spans) == ["POST /api/webhooks/{provider}"]
    assert not [span.name for span in spans if span.is_error]


def test_a_run_is_one_trace_with_its_steps(traced: TracedPortal) -> None:
    """The request, its calls of the catalog, and each step with its Git work."""
    name = f"guide-{secrets.token_hex(3)}"
    values = {"name": name, "title": "A guide", "owner": "group:default/money"}
    body = {"templateRef": "template:default/documentation-site", "values": values}
    answer = traced.portal.as_(BEN).post("/api/scaffolder/v2/tasks", json=body)
    path = f"/api/scaffolder/v2/tasks/{answer.raise_for_status().json()['id']}"
    eventually(
        lambda: traced.portal.get(path, BEN)["status"] == "completed", "the run's end"
    )
    spans = traced.whole("POST /api/scaffolder/v2/tasks", RUN, "the run's trace")
    assert roots(spans) == ["POST /api/scaffolder/v2/tasks"]
    by_id = {span.span_id: span for span in spans}
    steps = [span for span in spans if span.name.startswith("step ")]
    assert {by_id[step.parent_id].name for step in steps} == {"template run"}


def test_a_read_is_one_trace_through_the_gateway(traced: TracedPortal) -> None:
    """The client's own, under its span; its search words are nowhere in it."""
    parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    client: httpx.Client = traced.portal.as_(SERVICE)
    headers = {"traceparent": parent}
    client.get("/api/search/query?term=sesame", headers=headers).raise_for_status()
    trace_id = parent.split("-")[1]
    spans = eventually(
        lambda: [x] if len(x := traced.collector.trace(trace_id)) > 1 else [], "spans"
    )[0]
    gateway = next(s for s in spans if s.service == "callboard-gateway")
    search = next(s for s in spans if s.service == "callboard-search")
    assert (gateway.name, search.name) == ("GET /api/search/query", "GET /query")
    assert (gateway.parent_id, search.parent_id) == (
        parent.split("-")[2],
        gateway.span_id,
    )
    assert gateway.attributes["http.response.status_code"] == 200
    assert "sesame" not in repr(spans)


def test_a_page_is_one_trace_with_its_api_calls(traced: TracedPortal) -> None:
    """Gateway, portal, and the gateway's API that the page calls."""
    trace_id = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    path = "/catalog/default/component/payments"
    traced.portal.as_(BEN).get(path, headers=headers).raise_for_status()
    by_name = "/entities/by-name/{kind}/{namespace}/{name}"
    expected = {
        ("gateway", "GET /{path}"),
        ("gateway", f"GET /api/catalog{by_name}"),
        ("catalog", f"GET {by_name}"),
    }

    def look() -> list[ReceivedSpan]:
        spans = traced.collector.trace(trace_id)
        return spans if expected <= names(spans) and len(roots(spans)) == 1 else []

    spans: list[ReceivedSpan] = eventually(look, "the page's trace")
    assert roots(spans) == ["GET /{path}"]
    assert "portal" in {service for service, _ in names(spans)}


def test_log_lines_have_the_trace_id(traced: TracedPortal) -> None:
    """The last line of a run is found by the id of its trace."""
    spans = [s for s in traced.collector.spans if s.name == "template run"]
    log = Path(traced.portal.data / "logs" / "scaffolder.log").read_text()
    ended = [line for line in log.splitlines() if '"run_ended"' in line]
    assert any(span.trace_id in line for span in spans for line in ended)
