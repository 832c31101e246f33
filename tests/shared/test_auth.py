"""Principals: signed by one of us, short-lived, and refused otherwise."""

import time

import jwt
import pytest

from shared.contracts.errors import Forbidden, Unauthenticated
from shared.kit.http.service_tokens import AUDIENCE, Grant, Principal, PrincipalTokens

SECRET = "a-secret-for-tests-only-0123456789abcdef"
ANN = Principal(
    subject="user:default/ann",
    kind="user",
    ownership=("user:default/ann", "group:default/a"),
    permission="catalog.entity.read",
    decision="conditional",
    conditions={"not": {"rule": "HAS_ANNOTATION", "params": {"annotation": "x"}}},
)


def test_a_principal_is_read_back_from_its_token() -> None:
    """Subject, ownership and conditions arrive as they were sent."""
    assert PrincipalTokens(SECRET).verify(PrincipalTokens(SECRET).sign(ANN)) == ANN


def test_a_foreign_or_expired_token_is_refused() -> None:
    """Another secret, another audience, no expiry, an expired one."""
    own_tokens = PrincipalTokens(SECRET)
    good = {"sub": "x", "typ": "service", "aud": AUDIENCE, "exp": int(time.time()) + 60}
    forged = [
        jwt.encode(good, SECRET[::-1], algorithm="HS256"),
        jwt.encode({**good, "aud": "others"}, SECRET, algorithm="HS256"),
        jwt.encode({**good, "exp": 1}, SECRET, algorithm="HS256"),
        jwt.encode({k: v for k, v in good.items() if k != "exp"}, SECRET, "HS256"),
        jwt.encode(good, "", algorithm="none"),
        "not-a-token",
    ]
    for token in forged:
        with pytest.raises(Unauthenticated):
            own_tokens.verify(token)


def test_a_cached_token_still_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache never outlives the token."""
    own_tokens = PrincipalTokens(SECRET)
    token = own_tokens.sign(ANN, seconds=30)
    own_tokens.verify(token)
    later = time.time() + 31
    monkeypatch.setattr(time, "time", lambda: later)
    assert own_tokens._verified[token][0] <= later


GROUPS = tuple(f"group:default/team-of-people-{number:03d}" for number in range(200))


def test_a_token_carries_further_decisions_compactly() -> None:
    """Each as the policy made it; a long list of groups occurs twice at most."""
    conditions = {"rule": "IS_ENTITY_OWNER", "params": {"claims": list(GROUPS)}}
    names = ("a.read", "b.read", "c.read")
    also = {name: Grant("conditional", conditions) for name in names}
    also |= {"d": Grant("allow"), "e": Grant("deny", reason="Not today")}
    signed_principal = Principal("user:default/ann", "user", GROUPS, "x", also=also)
    tokens = PrincipalTokens("a-secret-for-tests-only-0123456789abcdef")
    token = tokens.sign(signed_principal)
    principal = PrincipalTokens("a-secret-for-tests-only-0123456789abcdef").verify(
        token
    )
    assert principal.also == also
    assert principal.granted("b.read").conditions == conditions
    assert principal.granted("d").decision == "allow"
    assert principal.granted("x") is principal
    for name in ("e", "never.asked"):
        with pytest.raises(Forbidden):
            principal.granted(name)
    bare = tokens.sign(Principal("user:default/ann", "user", GROUPS, "x"))
    assert len(token) < 2.5 * len(bare)
