"""While one engine is away the rest works and says so; then all catches up.

The connections to it are cut at a proxy: as when a network fails, or a server is gone.
"""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from tests.builders import component
from tests.conftest import SERVERS
from tests.e2e.running import ANN, BEN, BY_NAME, HOST, SERVICE, Portal, problem
from tests.faults.driver.host import GitHost
from tests.faults.driver.ledger import Ledger
from tests.faults.driver.servers import ServersDeployment
from tests.faults.victims import well
from tests.waiting import until_now

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not SERVERS, reason="needs ENGINES=servers"),
]

PAYMENTS = f"{BY_NAME}/component/default/payments"
LOCATIONS = "/api/catalog/locations"
#: Nobody may be kept waiting for what is away.
SOON_SECONDS = 8.0


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServersDeployment]:
    """A portal on real servers, each behind a proxy."""
    deployment = ServersDeployment(tmp_path_factory.mktemp("away"))
    try:
        deployment.up()
        yield deployment
    finally:
        deployment.down()


@pytest.fixture
def portal(deployment: ServersDeployment) -> Iterator[Portal]:
    """The portal, well before each test and after it."""
    be_well(deployment.portal)
    # Who asks is known before anything is cut.
    for who in (ANN, BEN, SERVICE):
        deployment.portal.as_(who)
    yield deployment.portal
    be_well(deployment.portal)


@pytest.fixture
def host(portal: Portal) -> Iterator[GitHost]:
    """Repositories whose pushes are told until they are heard."""
    host = GitHost(portal.data, portal.url, Ledger())
    yield host
    host.close()


def be_well(portal: Portal) -> None:
    """Wait until every service says that it is ready."""
    try:
        until_now(lambda: well(portal))
    except AssertionError as error:
        raise AssertionError(f"{states(portal)}\n{portal.logs()}") from error


def finds(portal: Portal, term: str) -> bool:
    """Whether search answers, and finds something."""
    answer = portal.as_(SERVICE).get("/api/search/query", params={"term": term})
    return answer.status_code == 200 and answer.json()["numberOfResults"] > 0


class Quick:
    """Somebody at the API who is not kept waiting."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        started_at = time.monotonic()
        answer = self._client.request(method, path, **more)
        took = time.monotonic() - started_at
        assert took < SOON_SECONDS, f"{method} {path} took {took:.1f} s: {answer}"
        return answer


def registered(host: GitHost, name: str) -> dict[str, str]:
    """A location's body, whose repository is there."""
    host.create(name)
    host.commit(name, {"all.yaml": yaml.safe_dump(component(name))}, "Begin")
    return {"type": "url", "target": f"{HOST}/{name}/blob/main/all.yaml"}


def states(portal: Portal) -> dict[str, str]:
    """What is not well, as the status page tells it: `service check` -> why."""
    status = portal.get("/api/status")
    return {
        f"{service['name']} {check}": state
        for service in status["services"]
        for check, state in (service.get("checks") or {"-": "away"}).items()
        if state != "ok"
    }


def figure(portal: Portal, service: str, name: str) -> float:
    """One of a service's figures."""
    services = portal.get("/api/status")["services"]
    figures = next(s for s in services if s["name"] == service).get("figures") or {}
    return float(figures.get(name, 0))


def refused(answer: httpx.Response) -> str:
    """Why: it must be a 503 that tells when to come again."""
    status, name, message = problem(answer)
    assert (status, name) == (503, "ServiceUnavailableError"), answer.text
    assert int(answer.headers["retry-after"]) >= 1
    return message


def test_the_portal_works_without_opensearch(
    deployment: ServersDeployment, portal: Portal, host: GitHost
) -> None:
    """The catalog works, search names the problem, and later finds everything."""
    ask = Quick(portal.as_(SERVICE))
    body = registered(host, "without-index")
    with deployment.cut("opensearch"):
        assert ask("GET", PAYMENTS).status_code == 200
        assert ask("POST", LOCATIONS, json=body).status_code == 201
        message = refused(ask("GET", "/api/search/query?term=payments"))
        assert "search" in message.lower() or "index" in message.lower()
        page = Quick(portal.as_(ANN))("GET", "/catalog", follow_redirects=True)
        assert page.status_code == 200
        until_now(lambda: states(portal), "the status to say so")
        assert all(name.startswith("search") for name in states(portal))
    until_now(lambda: portal.known("component:default/without-index"), "the entity")
    until_now(
        lambda: finds(portal, "without-index"),
        "search to catch up",
    )


def test_the_portal_works_without_kafka(
    deployment: ServersDeployment, portal: Portal, host: GitHost
) -> None:
    """Reads and writes work, the outbox fills, and all is published afterwards."""
    ask = Quick(portal.as_(SERVICE))
    body = registered(host, "without-log")
    with deployment.cut("kafka"):
        assert ask("GET", PAYMENTS).status_code == 200
        assert ask("POST", LOCATIONS, json=body).status_code == 201
        assert portal.known("component:default/without-log") is not None
        assert ask("GET", "/api/search/query?term=payments").status_code == 200
        until_now(lambda: figure(portal, "catalog", "outbox") >= 1, "the outbox")
        assert not finds(portal, "without-log")
        until_now(lambda: "catalog events" in states(portal), "the status to say so")
    until_now(
        lambda: finds(portal, "without-log"),
        "search to hear of it",
    )
    until_now(lambda: not figure(portal, "catalog", "outbox"), "an empty outbox")


def test_a_push_during_a_kafka_outage_is_retried(
    deployment: ServersDeployment, portal: Portal, host: GitHost
) -> None:
    """Its host is told to come again, does, and the push is in the catalog."""
    host.create("pushed-late")
    with deployment.cut("kafka"):
        text = yaml.safe_dump(component("pushed-late"))
        host.push("pushed-late", {"catalog-info.yaml": text}, "Begin")
        counted = host.ledger.operations
        until_now(lambda: counted["delivery", "refused"], "a delivery refused")
        assert not host.settled()
    until_now(host.settled, "the delivery to be taken")
    ref = "component:default/pushed-late"
    until_now(lambda: portal.known(ref), "the push in the catalog")


def test_the_portal_answers_stale_reads_without_mongodb(
    deployment: ServersDeployment, portal: Portal, host: GitHost
) -> None:
    """Reads come from the read model, marked as stale; writes get 503, pushes wait."""
    ask = Quick(portal.as_(SERVICE))
    body = registered(host, "without-store")
    host.create("pushed-early")
    assert "callboard-stale" not in ask("GET", PAYMENTS).headers
    with deployment.cut("documents"):
        until_now(
            lambda: "callboard-stale" in ask("GET", PAYMENTS).headers,
            "the answers to be marked",
        )
        assert ask("GET", PAYMENTS).status_code == 200
        answer = ask("GET", "/api/catalog/entities/by-query?limit=5")
        assert answer.status_code == 200
        assert "callboard-stale" in answer.headers
        refused(ask("POST", LOCATIONS, json=body))
        text = yaml.safe_dump(component("pushed-early"))
        host.push("pushed-early", {"catalog-info.yaml": text}, "Begin")
        until_now(host.settled, "the delivery to be taken")
        page = Quick(portal.as_(ANN))("GET", "/catalog", follow_redirects=True)
        assert page.status_code == 200
        until_now(lambda: "catalog documents" in states(portal), "the status to say so")
    until_now(
        lambda: "callboard-stale" not in ask("GET", PAYMENTS).headers,
        "the answers to be fresh",
    )
    body_again = until_now(
        lambda: ask("POST", LOCATIONS, json=body).status_code in (201, 409),
        "the write to be taken",
    )
    assert body_again
    assert portal.known("component:default/without-store") is not None
    ref = "component:default/pushed-early"
    until_now(lambda: portal.known(ref), "the push in the catalog")


def test_every_decision_is_denied_without_opa(
    deployment: ServersDeployment, portal: Portal
) -> None:
    """At once, with a reason; public routes still answer."""
    ask = Quick(portal.as_(BEN))
    assert ask("GET", PAYMENTS).status_code == 200
    with deployment.cut("opa"), portal.with_token(None) as nobody:
        until_now(
            lambda: ask("GET", PAYMENTS).status_code == 503, "known answers to age"
        )
        message = refused(ask("GET", PAYMENTS))
        assert "polic" in message.lower()
        public = Quick(nobody)
        for path in ("/healthz", "/sign-in", "/api/auth/.well-known/jwks.json"):
            assert public("GET", path).status_code == 200, path
    until_now(lambda: ask("GET", PAYMENTS).status_code == 200, "decisions to be made")


def test_the_portal_recovers_when_all_engines_are_cut_off(
    deployment: ServersDeployment, portal: Portal
) -> None:
    """Nothing crashes or hangs; all is well again soon after."""
    restarts = dict(portal.run["restarts"])
    cuts = [deployment.cut(name) for name in deployment.engines]
    for cut in cuts:
        cut.__enter__()
    try:
        for who in (SERVICE, BEN):
            answer = Quick(portal.as_(who))("GET", PAYMENTS)
            assert answer.status_code in (200, 503)
    finally:
        for cut in cuts:
            cut.__exit__(None, None, None)
    be_well(portal)
    assert portal.run["restarts"] == restarts
