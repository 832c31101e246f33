"""The policy asked of an OPA server (`opa run --server deploy/policies`).

The question and the `.rego` files are those of the embedded form.
"""

import asyncio
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from opa_client.opa_async import AsyncOpaClient

from services.gateway.model import Decision, PolicyInput
from services.gateway.policy.question import PACKAGE, RULE, Questions, decision_of
from shared.contracts.errors import Unavailable

DEFAULT_PORT = 8181
SECONDS = 2.0


class OpaPolicy:
    """`Policy` over OPA's data API; an async context manager for its connections."""

    def __init__(self, url: str, questions: Questions) -> None:
        address = urlsplit(url)
        self._questions = questions
        self._client = AsyncOpaClient(
            host=address.hostname or "127.0.0.1",
            port=address.port or DEFAULT_PORT,
            ssl=address.scheme == "https",
            retries=1,
            timeout=SECONDS,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close_connection()

    async def decide(self, question: PolicyInput) -> Decision:
        """One decision; Unavailable when the server does not give one in time."""
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._client.query_rule(
                    self._questions.document(question), PACKAGE, RULE
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unavailable("The policy server does not answer") from error
        return decision_of(answer.get("result"))
