"""Routes for the webhooks of Git hosts: `/api/webhooks/{provider}`.

`/api/events/http/{provider}` is Backstage's path for the same.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import get_args

from fastapi import APIRouter, Request
from prometheus_client import Counter
from pydantic import BaseModel

from services.gateway.model import LastDelivery
from services.gateway.ports import Deliveries, PushLog
from services.gateway.webhooks.handlers import Delivery, Outcome, receive
from services.gateway.webhooks.signatures import HookSecret, Provider
from shared.contracts.errors import CallboardError, NotFound, TooLarge

LIMIT = 5 * 1024 * 1024
PROVIDERS: frozenset[str] = frozenset(get_args(Provider))
DELIVERED = Counter(
    "callboard_gateway_webhooks_total",
    "Webhook deliveries by provider and what became of them",
    ["provider", "outcome"],
)


class WebhookResponse(BaseModel):
    """What became of a delivery."""

    status: Outcome


class LastDeliveries:
    """The time and outcome of each provider's last delivery."""

    def __init__(self) -> None:
        self.by_provider: dict[str, LastDelivery] = {}

    def note(self, provider: str, outcome: str) -> None:
        DELIVERED.labels(provider, outcome).inc()
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.by_provider[provider] = LastDelivery(at, outcome)


def make_router(
    secrets: Sequence[HookSecret],
    log: PushLog,
    deliveries: Deliveries,
    last_deliveries: LastDeliveries,
) -> APIRouter:
    """Callboard's path and Backstage's."""
    router = APIRouter(tags=["webhooks"])

    @router.post("/api/webhooks/{provider}", status_code=202)
    @router.post("/api/events/http/{provider}", status_code=202)
    async def webhook(provider: str, request: Request) -> WebhookResponse:
        """A signed delivery of a Git host."""
        if provider not in PROVIDERS:
            raise NotFound(f"Unknown webhook provider {provider!r}")
        body = await _body(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        delivery = Delivery(provider, headers, body)  # type: ignore[arg-type]
        try:
            outcome = await receive(delivery, secrets, log, deliveries)
        except CallboardError as error:
            last_deliveries.note(provider, error.name)
            raise
        last_deliveries.note(provider, outcome)
        return WebhookResponse(status=outcome)

    return router


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT:
            raise TooLarge(f"body: over the limit of {LIMIT} bytes")
    return bytes(body)
