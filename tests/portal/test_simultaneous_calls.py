"""Parts of a page that need nothing of each other do not wait for each other."""

import asyncio
from typing import Any

import httpx
import pytest

from services.portal.frame import Frame
from services.portal.model import ApiAnswer, Visitor
from services.portal.router import make_portal
from tests.portal.company import ANN
from tests.portal.fakes import FakeApi, bearer

#: Only a page that waits for the wrong call waits so long.
DEADLOCK_SECONDS = 2.0
SITES = "/api/techdocs/sites/by-refs"


class OrderedApi(FakeApi):
    """Answers a path that ends in `second` only after `first` was called."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__()
        self._first = first
        self._second = second
        self._is_called = asyncio.Event()

    async def call(
        self, visitor: Visitor | None, method: str, path: str, **values: Any
    ) -> ApiAnswer:
        if path.endswith(self._first):
            self._is_called.set()
        if path.endswith(self._second):
            async with asyncio.timeout(DEADLOCK_SECONDS):
                await self._is_called.wait()
        return await super().call(visitor, method, path, **values)


@pytest.mark.parametrize(
    ("page", "first", "second"),
    [
        ("/catalog/default/component/booking", "/entities/by-refs", "/history"),
        ("/", SITES, "/catalog/changes"),
        ("/", SITES, "/keys/entityRefs"),
    ],
)
async def test_independent_calls_are_made_at_once(
    frame: Frame, page: str, first: str, second: str
) -> None:
    """What follows from the page's entities does not wait for its other parts."""
    api = OrderedApi(first, second)
    transport = httpx.ASGITransport(make_portal(api, frame=frame))
    headers = {"authorization": bearer(ANN)}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://portal.test", headers=headers
    ) as client:
        assert (await client.get(page)).status_code == 200
    assert any(path.endswith(second) for _, path, _ in api.calls)
