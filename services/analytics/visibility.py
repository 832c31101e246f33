"""Which counted changes a reader may see, by the policy's conditions (Backstage's).

A count knows the owners and the visibility of its entities, and nothing else of them:
that is what the policy that ships with Callboard asks about. A rule about anything else
can be answered neither yes nor no, and what depends on it is not shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.contracts.annotations import VISIBILITY


@dataclass(frozen=True, slots=True)
class ChangeKey:
    """What changes are counted by: canonical refs of owners, and who may see them."""

    owners: tuple[str, ...]
    visibility: str

    @property
    def text(self) -> str:
        """As it is stored."""
        return f"{self.visibility}|{','.join(self.owners)}"

    @classmethod
    def parse(cls, text: str) -> "ChangeKey":
        """The key in a stored text."""
        visibility, _, owners = text.partition("|")
        return cls(tuple(filter(None, owners.split(","))), visibility)


def is_visible(criteria: Mapping[str, Any] | None, key: ChangeKey) -> bool:
    """Whether criteria certainly hold for the entities behind a key."""
    return criteria is not None and _verdict(criteria, key) is True


def _verdict(criteria: Mapping[str, Any], key: ChangeKey) -> bool | None:
    """Whether criteria hold; None: that cannot be told."""
    if "anyOf" in criteria:
        return _any(_verdict(item, key) for item in criteria["anyOf"])
    if "allOf" in criteria:
        is_not_met = _any(_negated(_verdict(item, key)) for item in criteria["allOf"])
        return _negated(is_not_met)
    if "not" in criteria:
        return _negated(_verdict(criteria["not"], key))
    return _rule(str(criteria.get("rule")), criteria.get("params") or {}, key)


def _rule(rule: str, params: Mapping[str, Any], key: ChangeKey) -> bool | None:
    if rule == "IS_ENTITY_OWNER":
        claims = {str(claim).lower() for claim in params.get("claims", ())}
        return not claims.isdisjoint(key.owners)
    if rule == "HAS_ANNOTATION" and _is_visibility(params):
        if "value" not in params:
            return bool(key.visibility)
        return str(params["value"]).lower() == key.visibility
    return None


def _is_visibility(params: Mapping[str, Any]) -> bool:
    return str(params.get("annotation")).lower() == VISIBILITY.lower()


def _any(verdicts: Iterable[bool | None]) -> bool | None:
    all_verdicts = list(verdicts)
    if True in all_verdicts:
        return True
    return None if None in all_verdicts else False


def _negated(verdict: bool | None) -> bool | None:
    return None if verdict is None else not verdict
