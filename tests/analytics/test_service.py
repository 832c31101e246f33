"""The service on the real event log: its answers, its counts across restarts."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.analytics.events import ActivityConsumer
from services.analytics.main import create_app
from services.analytics.model import RESOLUTIONS
from services.analytics.settings import Settings
from services.analytics.stream import BATCH_SECONDS
from services.analytics.tables import WindowedCounts
from shared.contracts.errors import Unavailable
from shared.contracts.headers import PRINCIPAL
from shared.kit.config.servers import Server
from shared.kit.events.bus import KafkaBus
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from tests.analytics.events import push, run
from tests.analytics.test_answers import ANN, MemoryRights
from tests.analytics.test_stream import numbers, publish
from tests.conftest import SERVERS
from tests.waiting import until

SECRET = "a secret of at least thirty-two characters"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
async def app(kafka: str, data: Path) -> AsyncIterator[FastAPI]:
    names = ("gateway", "catalog", "scaffolder", "techdocs", "search", "analytics")
    settings = Settings(
        kafka=kafka,
        mongodb="mongodb://127.0.0.1:1",
        config=data / "unused.yaml",
        data=data,
        service_secret=SECRET,  # type: ignore[arg-type]
        port=0,
        **{f"{name}_url": NOWHERE for name in names},  # type: ignore[arg-type]
    )
    service = create_app(settings, rights=MemoryRights("template:default/served"))
    async with service.router.lifespan_context(service):
        yield service


def client(app: FastAPI, principal: Principal | None) -> httpx.AsyncClient:
    headers = {}
    if principal is not None:
        headers[PRINCIPAL] = PrincipalTokens(SECRET).sign(principal)
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://a", headers=headers)


async def test_a_figure_needs_a_principal_with_permission(
    app: FastAPI, kafka: str
) -> None:
    """A count comes with its windows."""
    async with KafkaBus(kafka) as bus, client(app, ANN) as ann:
        await publish(bus, "runs", [run("template:default/served", fails=True)])

        async def counted() -> bool:
            answer = await ann.get("/runs", params={"period": "24h"})
            return answer.status_code == 200 and bool(answer.json()["groups"])

        await until(counted)
        answer = (await ann.get("/runs", params={"period": "24h"})).json()
        assert answer["totals"] == {"completed": 0, "failed": 1, "cancelled": 0}
        assert len(answer["buckets"]) == 24
        ready = await ann.get("/readyz")
        assert ready.json()["checks"] == {"tables": "ok"}
        summary = (await ann.get("/summary")).json()
        assert [figure["figure"] for figure in summary["figures"]][:2] == [
            "changes",
            "runs",
        ]
    async with client(app, None) as nobody:
        assert (await nobody.get("/runs")).status_code == 401


async def has(activity: ActivityConsumer, repository: str, expected: int) -> bool:
    """Whether hours and days count this many pushes, by complete tables."""
    try:
        stream = await activity.ready()
    except Unavailable:
        return False
    key = f"git.example.com/{repository}"
    return all(numbers(stream, "pushes", key, r) == [expected] for r in RESOLUTIONS)


async def test_figures_answer_503_while_the_event_log_is_away(data: Path) -> None:
    """No figure is better than an incomplete one."""
    async with ActivityConsumer(Server("127.0.0.1:1"), data) as activity:
        with pytest.raises(Unavailable, match="being rebuilt"):
            await activity.ready()


@pytest.mark.parametrize("failing", [1, 2, 3])
async def test_a_batch_that_fails_is_counted_in_the_end(
    kafka: str, data: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Whichever of the writes of its rows fails, no event is lost or counted twice."""
    group = f"fails-{failing}"
    calls = itertools.count()
    count = WindowedCounts.count

    def fail_once(self: WindowedCounts, *arguments: Any) -> None:
        if next(calls) == failing:
            raise TypeError("no partitions")
        count(self, *arguments)

    monkeypatch.setattr(WindowedCounts, "count", fail_once)
    async with (
        KafkaBus(kafka) as bus,
        ActivityConsumer(Server.of(kafka), data, group=group) as activity,
    ):
        for number in (3, 4):
            await publish(bus, "pushes", [push(f"{group}/web") for _ in range(number)])
            await asyncio.sleep(2 * BATCH_SECONDS)
        await until(lambda: has(activity, f"{group}/web", 7))
        assert next(calls) > failing


async def test_an_app_that_crashed_is_followed_by_another(
    kafka: str, data: Path
) -> None:
    """Faust ends without an error then, and nothing would count any more."""
    async with (
        KafkaBus(kafka) as bus,
        ActivityConsumer(Server.of(kafka), data, group="crash") as activity,
    ):
        await publish(bus, "pushes", [push("crash/web")])
        await until(lambda: has(activity, "crash/web", 1))
        stream = await activity.ready()
        await stream.app.crash(RuntimeError("a part of Faust failed"))
        await publish(bus, "pushes", [push("crash/web")])
        await until(lambda: has(activity, "crash/web", 2))


@pytest.mark.skipif(SERVERS, reason="Apache Kafka keeps the changelogs")
async def test_counts_survive_a_lost_event_log(kafka: str, data: Path) -> None:
    """A new consumer group stands for a log that was started anew."""
    async with KafkaBus(kafka) as bus:
        await publish(bus, "pushes", [push("kept/web"), push("kept/web")])
        async with ActivityConsumer(Server.of(kafka), data, group="kept") as first:
            await until(lambda: has(first, "kept/web", 2))
        async with ActivityConsumer(Server.of(kafka), data, group="kept-on") as other:
            # The two of before are in the file, and the log has them once more.
            await until(lambda: has(other, "kept/web", 4))
