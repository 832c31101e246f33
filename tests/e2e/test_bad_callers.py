"""Callers who are not who they say: tokens and webhooks, forged, expired, replayed."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.e2e.running import ANN, DEV, HOST, SERVICE, Portal, eventually, problem
from tests.e2e.system import working_copy

ENTITIES = "/api/catalog/entities?limit=1"
HOOK = "/api/webhooks/gitea"
Claims = dict[str, Any]


def token(system: Portal, key: Any = None, **changed: Any) -> str:
    """What a user token looks like, signed by the portal's own key unless told."""
    good = system.sign_in(ANN)
    header = jwt.get_unverified_header(good)
    claims = jwt.decode(good, options={"verify_signature": False})
    file = next((system.data / "keys").rglob(f"*{header['kid']}.pem"))
    own = serialization.load_pem_private_key(file.read_bytes(), None)
    claims = {**claims, "jti": str(uuid.uuid4()), **changed}
    return jwt.encode(claims, key or own, "ES256", headers=header)


def tampered(system: Portal) -> str:
    """A good token whose subject was changed without signing anew."""
    other = token(system, sub=DEV).split(".")
    good = system.sign_in(ANN).split(".")
    return ".".join([good[0], other[1], good[2]])


def unsigned(system: Portal) -> str:
    """A token that says it needs no signature."""
    header = jwt.get_unverified_header(system.sign_in(ANN))
    claims = jwt.decode(system.sign_in(ANN), options={"verify_signature": False})
    return jwt.encode(claims, None, "none", headers={"kid": header["kid"]})


def docs_token(system: Portal) -> str:
    """The limited token of the docs cookie."""
    answer = system.as_(ANN).get("/api/techdocs/.backstage/auth/v1/cookie")
    return str(answer.raise_for_status().cookies["backstage-auth"])


BAD_TOKENS: dict[str, tuple[Callable[[Portal], str], str]] = {
    "garbage": (lambda _: "garbage", "Invalid token"),
    "three parts": (lambda _: "a.b.c", "Invalid token"),
    "tampered": (tampered, "Invalid token"),
    "unsigned": (unsigned, "Invalid token"),
    "foreign key": (
        lambda system: token(system, ec.generate_private_key(ec.SECP256R1())),
        "Invalid token",
    ),
    "foreign issuer": (
        lambda system: token(system, iss="https://elsewhere.example/api/auth"),
        "Invalid token",
    ),
    "foreign audience": (lambda system: token(system, aud="other"), "Invalid token"),
    "expired": (
        lambda system: token(system, iat=1, exp=int(time.time()) - 1),
        "The token has expired",
    ),
    "the docs cookie's": (docs_token, "Invalid token"),
}


def test_an_unchanged_token_is_accepted(system: Portal) -> None:
    """The tokens of the other tests fail only by their change."""
    with system.with_token(token(system)) as caller:
        assert caller.get(ENTITIES).status_code == 200


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_an_invalid_token_answers_401(system: Portal, name: str) -> None:
    """With the reason, for reads and for writes."""
    make, words = BAD_TOKENS[name]
    body = {"type": "url", "target": f"{HOST}/payments/blob/main/catalog-info.yaml"}
    before = system.get("/api/catalog/locations")
    with system.with_token(make(system)) as caller:
        for answer in (
            caller.get(ENTITIES),
            caller.post("/api/catalog/locations", json=body),
        ):
            assert problem(answer) == (401, "AuthenticationError", words)
    assert system.get("/api/catalog/locations") == before


def test_a_request_without_a_token_answers_401(system: Portal) -> None:
    """Also with a forged principal header."""
    forged = {"Callboard-Principal": system.sign_in(ANN)}
    for headers in ({}, forged, {"Authorization": "Basic YTpi"}):
        answer = httpx.get(f"{system.url}{ENTITIES}", headers=headers)
        assert problem(answer) == (401, "AuthenticationError", "Missing credentials")


def test_a_service_refuses_requests_that_bypass_the_gateway(
    system: Portal,
) -> None:
    """Its own address answers 401, even to the operator's token."""
    for name in ("catalog", "scaffolder", "techdocs", "search", "analytics"):
        address = system.run["addresses"][name]
        path = {"catalog": "/entities", "search": "/query", "techdocs": "/snapshot"}
        path["analytics"] = "/summary"
        answer = httpx.get(
            f"{address}{path.get(name, '/v2/tasks')}",
            headers={"Authorization": f"Bearer {system.token}"},
        )
        assert problem(answer)[:2] == (401, "AuthenticationError")


def delivery(system: Portal, **changed: Any) -> tuple[bytes, dict[str, str]]:
    """A signed push of the newest commit of `website`, as its host would send it."""
    head = working_copy(system, "website").git("rev-parse", "HEAD")
    url = f"{HOST}/website"
    push = {
        "ref": "refs/heads/main",
        "before": head,
        "after": head,
        "commits": [],
        "total_commits": 0,
        "repository": {
            "name": "website",
            "full_name": "website",
            "html_url": url,
            "clone_url": f"{url}.git",
            "default_branch": "main",
        },
        "pusher": {"login": "elif", "full_name": "Elif", "email": "elif@x.example"},
        **changed,
    }
    body = json.dumps(push).encode()
    secret = (system.data / "keys" / "webhook.secret").read_text().strip()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body, {
        "Content-Type": "application/json",
        "X-Gitea-Event": "push",
        "X-Gitea-Delivery": str(uuid.uuid4()),
        "X-Gitea-Signature": signature,
    }


def number(headers: dict[str, str]) -> str:
    """By which a delivery is known."""
    return headers["X-Gitea-Delivery"]


def deliveries(heard: list[dict[str, Any]], pushes: list[str]) -> list[str]:
    """Which of some pushes were heard; those of earlier tests may still come in."""
    arrived = [event["data"]["delivery"] for event in list(heard)]
    return [delivery_id for delivery_id in arrived if delivery_id in pushes]


def await_last(heard: list[dict[str, Any]], pushes: list[str]) -> None:
    """Wait until the last of some pushes is heard, and so whatever came before it."""
    eventually(
        lambda: pushes[-1] in deliveries(heard, pushes), "the last push is heard"
    )


def test_a_replayed_webhook_is_published_once(system: Portal) -> None:
    """The second delivery is answered as a duplicate."""
    body, headers = delivery(system)
    marker, marked = delivery(system, ref="refs/heads/marker")
    with (
        system.with_token(None) as host,
        system.listening(SERVICE, topic="git-push") as heard,
    ):
        answers = [host.post(HOOK, content=body, headers=headers) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 202]
        statuses = [answer.json()["status"] for answer in answers]
        assert statuses == ["accepted", "duplicate", "duplicate"]
        host.post(HOOK, content=marker, headers=marked).raise_for_status()
        await_last(heard, pushes := [number(headers), number(marked)])
        assert deliveries(heard, pushes) == pushes


def test_an_unsigned_webhook_is_refused(system: Portal) -> None:
    """403, whether the signature is missing, wrong, or of another body."""
    body, headers = delivery(system)
    none = {k: v for k, v in headers.items() if k != "X-Gitea-Signature"}
    wrong = {**headers, "X-Gitea-Signature": "0" * 64}
    with (
        system.with_token(None) as host,
        system.listening(SERVICE, topic="git-push") as heard,
    ):
        for sent_headers, content, words in (
            (none, body, "The delivery is not signed"),
            (wrong, body, "The delivery's signature is wrong"),
            (headers, body + b" ", "The delivery's signature is wrong"),
        ):
            answer = host.post(HOOK, content=content, headers=sent_headers)
            assert problem(answer) == (403, "NotAllowedError", words)
        marker, marked = delivery(system, ref="refs/heads/another-marker")
        host.post(HOOK, content=marker, headers=marked).raise_for_status()
        await_last(heard, pushes := [number(headers), number(marked)])
        assert deliveries(heard, pushes) == pushes[1:]


def test_a_webhook_may_not_sign_for_another_host(system: Portal) -> None:
    """A secret of one host does not prove a push of another."""
    url = "https://github.com/acme/website"
    body, headers = delivery(
        system,
        repository={"name": "website", "full_name": "acme/website", "html_url": url},
    )
    with system.with_token(None) as host:
        status, name, message = problem(host.post(HOOK, content=body, headers=headers))
    assert (status, name) == (403, "NotAllowedError")
    assert "github.com" in message


def test_a_webhook_over_the_size_limit_is_refused(system: Portal) -> None:
    """413 before anything is checked."""
    with system.with_token(None) as host:
        answer = host.post(HOOK, content=b" " * (5 * 1024 * 1024 + 1))
    assert problem(answer)[:2] == (413, "PayloadTooLargeError")
