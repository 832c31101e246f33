"""How the policy is asked and what it may answer, whoever evaluates it."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.gateway.model import Decision, PolicyInput
from shared.contracts.errors import Unavailable

PACKAGE = "callboard.authz"
RULE = "decision"


class Questions:
    """Makes the input document of a question.

    What the configuration says (`enabled`, `platform_team`) goes with each, so that an
    OPA server needs nothing but the `.rego` files.
    """

    def __init__(self, *, enabled: bool, platform_team: Sequence[str] = ()) -> None:
        self._settings = {
            "enabled": enabled,
            "platform_team": [ref.lower() for ref in platform_team],
        }

    def document(self, question: PolicyInput) -> dict[str, Any]:
        """The `input` of one question."""
        return {
            "subject": question.subject,
            "kind": question.kind,
            "ownership": list(question.ownership),
            "permission": question.permission,
            **self._settings,
        }


def decision_of(found: Any) -> Decision:
    """The decision in the policy's answer.

    Raises:
        Unavailable: if it is no answer: then nothing is allowed.
    """
    result = found.get("result") if isinstance(found, Mapping) else None
    if result == "conditional" and isinstance(found.get("conditions"), Mapping):
        return Decision("conditional", found["conditions"])
    if result == "allow":
        return Decision("allow")
    if result == "deny":
        return Decision("deny", reason=str(found.get("reason") or ""))
    raise Unavailable("The policy gave no decision")
