"""Whether the policy's conditions let a reader see counted changes."""

from typing import Any

import pytest

from services.analytics.visibility import ChangeKey, is_visible

OPEN = ChangeKey(("group:default/ushers",), "")
RESTRICTED = ChangeKey(("group:default/ushers",), "restricted")


def owner(*claims: str) -> dict[str, Any]:
    return {"rule": "IS_ENTITY_OWNER", "params": {"claims": list(claims)}}


HIDDEN = {
    "rule": "HAS_ANNOTATION",
    "params": {"annotation": "callboard.dev/visibility", "value": "restricted"},
}
LABEL = {"rule": "HAS_LABEL", "params": {"label": "secret"}}


@pytest.mark.parametrize(
    ("criteria", "key", "visible"),
    [
        ({"anyOf": [{"not": HIDDEN}, owner("user:default/bob")]}, OPEN, True),
        ({"anyOf": [{"not": HIDDEN}, owner("user:default/bob")]}, RESTRICTED, False),
        ({"anyOf": [{"not": HIDDEN}, owner("Group:default/Ushers")]}, RESTRICTED, True),
        ({"allOf": [HIDDEN, owner("group:default/ushers")]}, RESTRICTED, True),
        ({"allOf": [HIDDEN, owner("group:default/ushers")]}, OPEN, False),
        # What a count does not know makes nothing visible, also under a `not`.
        (LABEL, OPEN, False),
        ({"not": LABEL}, OPEN, False),
        ({"anyOf": [LABEL, {"not": HIDDEN}]}, OPEN, True),
        ({"allOf": [{"not": LABEL}, {"not": HIDDEN}]}, OPEN, False),
        ({"not": {"anyOf": [LABEL, HIDDEN]}}, OPEN, False),
        ({"not": {"allOf": [LABEL, HIDDEN]}}, OPEN, True),
        ({"rule": "NOBODY_KNOWS", "params": {}}, OPEN, False),
        (None, OPEN, False),
    ],
)
def test_a_count_needs_conditions_that_certainly_hold(
    criteria: dict[str, Any] | None,
    key: ChangeKey,
    visible: bool,
) -> None:
    """A count is shown only where the conditions certainly hold."""
    assert is_visible(criteria, key) is visible
