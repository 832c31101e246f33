"""The policy asked for an identity; answers are remembered until they may be stale.

What decides is who one is and what counts as one's own, so a change of groups is
another question, and nothing here has to be invalidated.
"""

import math
import time

from prometheus_client import Histogram

from services.gateway.model import Decision, Identity, PolicyInput
from services.gateway.ports import Policy

REMEMBERED = 8192
DECIDING = Histogram(
    "callboard_gateway_decision_seconds",
    "Time the policy took to answer a question that it was not asked before",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1),
)

_Key = tuple[str, str, tuple[str, ...], str]


class PolicyGuard:
    """`PermissionChecker` over any `Policy`.

    `seconds` is how long an answer counts: for ever of a policy that cannot change
    while this process runs.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        seconds: float = math.inf,
        remembered: int = REMEMBERED,
    ) -> None:
        self._policy = policy
        self._seconds = seconds
        self._remembered = remembered
        self._known: dict[_Key, tuple[float, Decision]] = {}

    async def decision(self, identity: Identity, permission: str) -> Decision:
        """What the policy says; raises Unavailable when it cannot be asked."""
        key = (identity.subject, identity.kind, identity.ownership, permission)
        found = self._known.get(key)
        if found is not None and found[0] > time.monotonic():
            return found[1]
        question = PolicyInput(
            subject=identity.subject,
            kind=identity.kind,
            ownership=identity.ownership,
            permission=permission,
        )
        began = time.perf_counter()
        decision = await self._policy.decide(question)
        # Only what was answered: a refusal at once would make a slow server look fast.
        DECIDING.observe(time.perf_counter() - began)
        # The oldest answer stands first, and makes room.
        self._known.pop(key, None)
        if len(self._known) >= self._remembered:
            self._known.pop(next(iter(self._known)))
        self._known[key] = (time.monotonic() + self._seconds, decision)
        return decision
