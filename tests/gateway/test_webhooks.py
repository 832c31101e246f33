"""Deliveries of Git hosts: whose they are, and the event that they become."""

import itertools
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from aiokafka import AIOKafkaConsumer

from services.gateway.webhooks.handlers import Delivery, receive
from services.gateway.webhooks.signatures import HookSecret, signing_hosts
from services.gateway.webhooks.store import MongoDeliveries
from shared.contracts.envelope import Envelope
from shared.contracts.errors import Forbidden, Invalid, Unavailable
from shared.contracts.gateway import RepositoryPushed
from tests.clock import Clock
from tests.costs import limit_processor_time, limit_stretches
from tests.gateway.hooks import bitbucket, gitea, gitlab, signed
from tests.gateway.running import HOOK_SECRET
from tests.waiting import until

_numbers = itertools.count(1)


@pytest.mark.parametrize(
    ("provider", "headers"),
    [
        ("github", {"x-hub-signature-256": f"sha256={signed(b'x')}"}),
        ("gitea", {"x-gitea-signature": signed(b"x")}),
        ("gitea", {"x-hub-signature-256": f"sha256={signed(b'x')}"}),
        ("bitbucket", {"x-hub-signature": f"sha256={signed(b'x')}"}),
        ("gitlab", {"x-gitlab-token": HOOK_SECRET}),
    ],
)
def test_a_signature_identifies_its_host(provider, headers) -> None:
    """Only the hosts whose secret fits."""
    secrets = [
        HookSecret(provider, "one.example", HOOK_SECRET),
        HookSecret(provider, "two.example", "another secret"),
    ]
    assert signing_hosts(provider, headers, b"x", secrets) == {"one.example"}


@pytest.mark.parametrize(
    ("provider", "headers"),
    [
        ("github", {}),
        ("github", {"x-hub-signature-256": "sha256="}),
        ("github", {"x-hub-signature-256": f"sha256={signed(b'y')}"}),
        ("github", {"x-hub-signature-256": f"sha256={signed(b'x', 'guess')}"}),
        ("github", {"x-hub-signature": "sha1=" + "0" * 40}),
        ("gitlab", {"x-gitlab-token": HOOK_SECRET + "x"}),
        ("gitlab", {"x-gitlab-token": "\u00e9"}),
    ],
)
def test_unsigned_and_forged_deliveries_are_refused(provider, headers) -> None:
    """Whatever the body says."""
    secrets = [HookSecret(provider, "one.example", HOOK_SECRET)]
    with pytest.raises(Forbidden):
        signing_hosts(provider, headers, b"x", secrets)


class Log:
    """The event log's twin: it may be away."""

    def __init__(self) -> None:
        self.published: list[RepositoryPushed] = []
        self.away = False

    async def publish(self, repository_pushes: Any) -> None:
        if self.away:
            raise Unavailable("away")
        self.published += repository_pushes


def delivery(number: str = "1", **headers: str) -> Delivery:
    body = json.dumps(gitea()).encode()
    fields = {
        "x-gitea-event": "push",
        "x-gitea-delivery": number,
        "x-gitea-signature": signed(body),
        **headers,
    }
    return Delivery("gitea", fields, body)


SECRETS = [HookSecret("gitea", "git.playhouse.example", HOOK_SECRET)]


async def test_a_repeated_delivery_is_published_after_a_failure(database) -> None:
    """The failed one was not remembered, so the second attempt is no replay."""
    log, deliveries = Log(), MongoDeliveries(database["deliveries"])
    log.away = True
    with pytest.raises(Unavailable):
        await receive(delivery(), SECRETS, log, deliveries)
    log.away = False
    assert await receive(delivery(), SECRETS, log, deliveries) == "accepted"
    assert await receive(delivery(), SECRETS, log, deliveries) == "duplicate"
    assert len(log.published) == 1


async def test_a_long_delivery_does_not_block_other_requests(database) -> None:
    """Tens of thousands of commits are read outside the event loop."""
    commits = [
        {"id": f"{n:040x}", "added": [f"{n}.md"], "removed": [], "modified": []}
        for n in range(25_000)
    ]
    body = json.dumps(gitea(commits=commits, total_commits=len(commits))).encode()
    long = delivery(**{"x-gitea-signature": signed(body)})
    log, deliveries = Log(), MongoDeliveries(database["deliveries"])
    with limit_processor_time(0.1):
        outcome = await receive(replace(long, body=body), SECRETS, log, deliveries)
    assert outcome == "accepted"
    assert len(log.published[0].changed_paths or ()) == len(commits)


@pytest.mark.parametrize("is_form", [False, True])
async def test_a_push_of_very_many_files_may_have_changed_any(
    database, is_form
) -> None:
    """It is published without its paths, and read in a process of its own."""
    files = [f"f{number}" for number in range(200)]
    commit = {"id": "3" * 40, "added": files, "removed": [], "modified": []}
    payload = gitea(commits=[commit] * 1_500, total_commits=1_500)
    body = json.dumps(payload, separators=(",", ":")).encode()
    kind = "application/json"
    if is_form:
        body, kind = b"payload=" + body, "application/x-www-form-urlencoded"
    sent = delivery(**{"x-gitea-signature": signed(body), "content-type": kind})
    log, deliveries = Log(), MongoDeliveries(database["deliveries"])
    async with limit_stretches():
        outcome = await receive(replace(sent, body=body), SECRETS, log, deliveries)
    assert outcome == "accepted"
    (push,) = log.published
    assert (push.ref, push.changed_paths) == ("refs/heads/main", None)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"ref": 5}, "ref: must be"),
        ({"x": json.loads("[" * 150 + "]" * 150)}, "body: nested deeper than 100"),
    ],
)
async def test_a_push_of_very_many_files_keeps_the_other_limits(
    database, extra, message
) -> None:
    """Its depth and its fields are checked as those of a small one."""
    commits = [{"modified": ["f"] * 250_000}]
    body = json.dumps(gitea(commits=commits, **extra)).encode()
    sent = delivery(**{"x-gitea-signature": signed(body)})
    log, deliveries = Log(), MongoDeliveries(database["deliveries"])
    with pytest.raises(Invalid, match=message):
        await receive(replace(sent, body=body), SECRETS, log, deliveries)
    assert not log.published


async def test_a_host_may_not_sign_pushes_of_another_host(database) -> None:
    """The secret of one host signs nothing about a second."""
    secrets = [HookSecret("gitea", "other.example", HOOK_SECRET)]
    deliveries = MongoDeliveries(database["deliveries"])
    with pytest.raises(Forbidden, match=r"git\.playhouse\.example"):
        await receive(delivery(), secrets, Log(), deliveries)


async def test_webhooks_that_are_no_push_are_ignored(database) -> None:
    """A ping or an issue is answered with success and not published."""
    log, deliveries = Log(), MongoDeliveries(database["deliveries"])
    ping = delivery(**{"x-gitea-event": "ping"})
    assert await receive(ping, SECRETS, log, deliveries) == "ignored"
    assert not log.published


async def test_a_new_delivery_id_does_not_bypass_replay_detection(database) -> None:
    """The id is not signed: a captured delivery may carry any other."""
    log, deliveries = Log(), MongoDeliveries(database["deliveries"])
    assert await receive(delivery("1"), SECRETS, log, deliveries) == "accepted"
    for again in (delivery("2"), delivery("3", **{"x-gitea-event": "repo:push"})):
        assert await receive(again, SECRETS, log, deliveries) == "duplicate"
    assert len(log.published) == 1


@pytest.mark.parametrize(
    ("provider", "host", "payload", "number"),
    [
        ("gitlab", "gitlab.com", gitlab(), "idempotency-key"),
        ("bitbucket", "bitbucket.org", bitbucket(), "x-request-uuid"),
    ],
)
async def test_a_branch_may_be_pushed_to_the_same_commit_again(
    database, provider, host, payload, number
) -> None:
    """Their bodies have no time; a repeated request keeps its number."""
    body = json.dumps(payload).encode()
    signature = {
        "x-gitlab-token": HOOK_SECRET,
        "x-hub-signature": f"sha256={signed(body)}",
    }
    event = {"x-gitlab-event": "Push Hook", "x-event-key": "repo:push"}
    secrets = [HookSecret(provider, host, HOOK_SECRET)]
    log, deliveries, clock = Log(), MongoDeliveries(database["deliveries"]), Clock()

    async def send(value: str) -> str:
        headers = {**event, **signature, number: value}
        sent = Delivery(provider, headers, body)
        return await receive(sent, secrets, log, deliveries, clock)

    assert [await send("a"), await send("a")] == ["accepted", "duplicate"]
    pushes_once = len(log.published)
    clock.now += 3600
    assert [await send("b"), await send("b")] == ["accepted", "duplicate"]
    clock.now += 3600
    assert await send("a") == "duplicate"
    assert len(log.published) == 2 * pushes_once


def hook_headers(body: bytes, number: str | None = None) -> dict[str, str]:
    return {
        "x-gitea-event": "push",
        "x-gitea-delivery": number or f"test-{next(_numbers)}",
        "x-gitea-signature": signed(body),
        "content-type": "application/json",
    }


async def test_a_push_is_published_as_an_event(ask, kafka) -> None:
    """Answered 202 once the log has it, keyed by repository; a replay adds none."""
    body = json.dumps(gitea()).encode()
    headers = hook_headers(body, "event-1")
    consumer = AIOKafkaConsumer(
        "git-push", bootstrap_servers=kafka, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        for status in ("accepted", "duplicate"):
            answer = await ask.post(
                "/api/webhooks/gitea", content=body, headers=headers
            )
            assert answer.status_code == 202, answer.text
            assert answer.json() == {"status": status}
        records_read: list[Any] = []

        async def told() -> bool:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                records_read.extend(records)
            return any(b"event-1" in record.value for record in records_read)

        await until(told, "the event")
        mine = [record for record in records_read if b"event-1" in record.value]
        assert len(mine) == 1
        assert mine[0].key == b"git.playhouse.example/payments"
        envelope = Envelope.parse(mine[0].value)
        assert envelope.id == "gitea-event-1-0"
        assert envelope.traceparent
    finally:
        await consumer.stop()


@pytest.mark.parametrize(
    ("path", "change", "status"),
    [
        ("/api/webhooks/gitea", {"x-gitea-signature": "0" * 64}, 403),
        ("/api/webhooks/gitea", {"x-gitea-signature": ""}, 403),
        ("/api/webhooks/gitea", {"x-gitea-delivery": ""}, 400),
        ("/api/webhooks/gitea", {"x-gitea-event": ""}, 400),
        ("/api/webhooks/gitea", {"x-gitea-event": "issues"}, 202),
        ("/api/webhooks/github", {}, 403),
        ("/api/webhooks/sourceforge", {}, 404),
        ("/api/events/http/gitea", {}, 202),
    ],
)
async def test_unusual_deliveries_get_a_specific_status(
    ask, path, change, status
) -> None:
    """Each response says what is wrong."""
    body = json.dumps(gitea()).encode()
    headers = {**hook_headers(body), **change}
    answer = await ask.post(path, content=body, headers=headers)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"{}"])
async def test_a_body_that_is_no_push_is_refused(ask, body) -> None:
    """400, also when it is signed correctly."""
    answer = await ask.post(
        "/api/webhooks/gitea", content=body, headers=hook_headers(body)
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["name"] == "InputError"


async def test_a_form_encoded_payload_is_accepted(ask) -> None:
    """GitHub and Gitea may send `payload=…`; the raw body is what is signed."""
    body = urlencode({"payload": json.dumps(gitea())}).encode()
    headers = hook_headers(body)
    headers["content-type"] = "application/x-www-form-urlencoded"
    answer = await ask.post("/api/webhooks/gitea", content=body, headers=headers)
    assert answer.json() == {"status": "accepted"}


async def test_a_form_of_many_fields_is_refused(ask) -> None:
    """Before the fields are parsed: a host sends only one."""
    body = b"a=b&" * 1_000
    headers = hook_headers(body)
    headers["content-type"] = "application/x-www-form-urlencoded"
    answer = await ask.post("/api/webhooks/gitea", content=body, headers=headers)
    assert answer.status_code == 400
    assert "fields of a form" in answer.json()["error"]["message"]


async def test_a_body_over_five_megabytes_is_refused(ask) -> None:
    """Before anything is made of it."""
    body = b"x" * (5 * 1024 * 1024 + 1)
    answer = await ask.post(
        "/api/webhooks/gitea", content=body, headers=hook_headers(body)
    )
    assert answer.status_code == 413
