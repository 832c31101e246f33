"""The input and the output of the policy, for both forms of evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.gateway.model import Decision, PolicyInput
from shared.contracts.errors import Unavailable

PACKAGE = "callboard.authz"
RULE = "decision"


class Questions:
    """Makes the input documents of the policy.

    Each contains the configuration (`enabled`, `platform_team`), so that an OPA server
    needs only the `.rego` files.
    """

    def __init__(self, *, enabled: bool, platform_team: Sequence[str] = ()) -> None:
        self._settings = {
            "enabled": enabled,
            "platform_team": [ref.lower() for ref in platform_team],
        }

    def document(self, question: PolicyInput) -> dict[str, Any]:
        """The `input` of one decision."""
        return {
            "subject": question.subject,
            "kind": question.kind,
            "ownership": list(question.ownership),
            "permission": question.permission,
            **self._settings,
        }


def decision_of(output: Any) -> Decision:
    """The decision in the policy's output.

    Raises:
        Unavailable: if the output is no decision, so that nothing is allowed.
    """
    result = output.get("result") if isinstance(output, Mapping) else None
    if result == "conditional" and isinstance(output.get("conditions"), Mapping):
        return Decision("conditional", output["conditions"])
    if result == "allow":
        return Decision("allow")
    if result == "deny":
        return Decision("deny", reason=str(output.get("reason") or ""))
    raise Unavailable("The policy gave no decision")
