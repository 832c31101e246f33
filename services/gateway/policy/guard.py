"""The policy's decisions for an identity, cached until they may be stale.

The key of a decision contains the claims, so a change of groups needs no invalidation.
"""

import math
import time

from prometheus_client import Histogram

from services.gateway.model import Decision, Identity, PolicyInput
from services.gateway.ports import Policy

CACHE_SIZE = 8192
DECIDING = Histogram(
    "callboard_gateway_decision_seconds",
    "Time the policy took to answer a question that it was not asked before",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1),
)

_Key = tuple[str, str, tuple[str, ...], str]


class PolicyGuard:
    """`PermissionChecker` over any `Policy`.

    A decision is cached for `seconds`: for ever if the policy cannot change while this
    process runs.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        seconds: float = math.inf,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self._policy = policy
        self._seconds = seconds
        self._cache_size = cache_size
        self._cache: dict[_Key, tuple[float, Decision]] = {}

    async def decision(self, identity: Identity, permission: str) -> Decision:
        """The policy's decision; raises Unavailable if the policy is."""
        key = (identity.subject, identity.kind, identity.ownership, permission)
        entry = self._cache.get(key)
        if entry is not None and entry[0] > time.monotonic():
            return entry[1]
        question = PolicyInput(
            subject=identity.subject,
            kind=identity.kind,
            ownership=identity.ownership,
            permission=permission,
        )
        start = time.perf_counter()
        decision = await self._policy.decide(question)
        # Only of decisions: an immediate error would make a slow server look fast.
        DECIDING.observe(time.perf_counter() - start)
        # The oldest decision is the first one; it is evicted.
        self._cache.pop(key, None)
        if len(self._cache) >= self._cache_size:
            self._cache.pop(next(iter(self._cache)))
        self._cache[key] = (time.monotonic() + self._seconds, decision)
        return decision
