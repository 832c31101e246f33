"""One webhook delivery, from raw bytes to a published push.

A delivery is published first and recorded afterwards. One that cannot be published is
refused with 503, so that its host sends it again; a duplicate is harmless. A delivery
is also accepted while the records are unavailable, because some hosts send only once.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs

from services.gateway.ports import Deliveries, PushLog
from services.gateway.webhooks.payloads import pushes
from services.gateway.webhooks.signatures import HookSecret, Provider, signing_hosts
from shared.contracts.errors import Forbidden, Invalid, Unavailable
from shared.contracts.gateway import RepositoryPushed
from shared.guards.json_text import JsonLimits, load_json
from shared.guards.trees import TooManyElements
from shared.guards.workers import run_beside, run_bounded

#: The size is the limit of the body. Pushes of more elements than this are honest, too.
JSON = JsonLimits(size=5 * 1024 * 1024)
#: An element takes a byte at least: as many as such a body can have.
ANY_ELEMENTS = JsonLimits(size=JSON.size, nodes=JSON.size)
#: Longer bodies are read in a thread.
LONG_BODY = 64 * 1024
#: Hosts that send forms send one field.
MOST_FIELDS = 16

Outcome = Literal["accepted", "ignored", "duplicate"]

EVENT_HEADERS: dict[str, str] = {
    "github": "x-github-event",
    "gitea": "x-gitea-event",
    "gitlab": "x-gitlab-event",
    "bitbucket": "x-event-key",
}
PUSH_EVENTS = frozenset(
    {"push", "Push Hook", "Tag Push Hook", "repo:push", "repo:refs_changed"}
)
#: The headers that number deliveries; older GitLab and Bitbucket have none.
DELIVERY_HEADERS: dict[str, tuple[str, ...]] = {
    "github": ("x-github-delivery",),
    "gitea": ("x-gitea-delivery", "x-github-delivery"),
    "gitlab": ("idempotency-key", "x-gitlab-event-uuid"),
    "bitbucket": ("x-request-uuid", "x-request-id"),
}
MUST_NUMBER = frozenset({"github", "gitea"})
#: Seconds within which a body of Bitbucket's that comes again is a replay. It holds no
#: time: a branch that is reset and pushed once more has the same body.
REPLAY_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request of a host; header names are lower case."""

    provider: Provider
    headers: Mapping[str, str]
    body: bytes


async def receive(
    delivery: Delivery,
    secrets: Sequence[HookSecret],
    log: PushLog,
    deliveries: Deliveries,
    clock: Callable[[], float] = time.time,
) -> Outcome:
    """Publish the pushes of a delivery, once.

    Raises:
        Forbidden: if it is unsigned, forged, or about a host that did not sign it.
        Invalid: if it is malformed, naming the field.
        Unavailable: if it could not be published: the host shall send it again.
    """
    hosts = signing_hosts(delivery.provider, delivery.headers, delivery.body, secrets)
    event = delivery.headers.get(EVENT_HEADERS[delivery.provider])
    if not event:
        raise Invalid(f"{EVENT_HEADERS[delivery.provider]}: the header is missing")
    if event not in PUSH_EVENTS:
        return "ignored"
    repository_pushes = await _pushes_in(delivery)
    for push in repository_pushes:
        if push.host not in hosts:
            raise Forbidden(f"The delivery is about {push.host}, which did not sign it")
    keys = _fingerprints(delivery, hosts, clock())
    with suppress(Unavailable):
        for key in keys:
            if await deliveries.was_published(key):
                return "duplicate"
    await log.publish(repository_pushes)
    with suppress(Unavailable):
        for key in keys:
            await deliveries.mark(key)
    return "accepted"


async def _pushes_in(delivery: Delivery) -> list[RepositoryPushed]:
    """The pushes in the body; a long body is read in a thread.

    A push of so many files that they are not read is one whose paths are not known:
    refused, the portal would learn of it by its next scan only.
    """
    if len(delivery.body) <= LONG_BODY:
        return _read(delivery)
    try:
        return await run_beside(_read, delivery)
    except TooManyElements:
        # No thread lets others go on while so much is parsed.
        return await run_bounded(_read_without_paths, delivery, label="body")


def _read(delivery: Delivery) -> list[RepositoryPushed]:
    number = _number(delivery)
    return pushes(delivery.provider, _payload(delivery, JSON), number)


def _read_without_paths(delivery: Delivery) -> list[RepositoryPushed]:
    payload, number = _payload(delivery, ANY_ELEMENTS), _number(delivery)
    return pushes(delivery.provider, payload, number, knows_paths=False)


def _fingerprints(
    delivery: Delivery, hosts: Iterable[str], now: float
) -> Sequence[str]:
    """What the same delivery has as well: any of them makes it a duplicate.

    GitHub and Gitea sign a body with the push's time, and no header. GitLab's request
    holds the secret itself: who could change its number could make any request.
    """
    body = hashlib.sha256(delivery.body).hexdigest()
    key = f"{delivery.provider}:{','.join(sorted(hosts))}:{body}"
    if delivery.provider in MUST_NUMBER:
        return [key]
    number = hashlib.sha256(_number(delivery).encode()).hexdigest()
    if delivery.provider == "gitlab":
        return [f"{key}:{number}"]
    return [f"{key}:{number}", f"{key}:{now // REPLAY_SECONDS:.0f}"]


def _number(delivery: Delivery) -> str:
    for name in DELIVERY_HEADERS[delivery.provider]:
        number = delivery.headers.get(name)
        if number:
            return number[:200]
    if delivery.provider in MUST_NUMBER:
        name = DELIVERY_HEADERS[delivery.provider][0]
        raise Invalid(f"{name}: the header is missing")
    return hashlib.sha256(delivery.body).hexdigest()


def _payload(delivery: Delivery, limits: JsonLimits) -> Mapping[str, Any]:
    body = delivery.body
    kind = delivery.headers.get("content-type", "").partition(";")[0].strip()
    if kind == "application/x-www-form-urlencoded":
        body = _field_of_form(body)
    payload = load_json(body, label="body", limits=limits)
    if not isinstance(payload, dict):
        raise Invalid("body: must be a JSON object")
    return payload


def _field_of_form(body: bytes) -> bytes:
    """The field `payload`; a form with many fields is no delivery."""
    try:
        form = parse_qs(body.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise Invalid(f"body: more than {MOST_FIELDS} fields of a form") from error
    return form.get("payload", [""])[0].encode()
