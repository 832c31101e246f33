"""The adapter against a real OPA: secured, wrongly configured, away."""

import contextlib
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from deploy.engines.security import guard
from services.gateway.model import PolicyInput
from services.gateway.policy.opa import FAILURES, OpaPolicy
from services.gateway.policy.question import Questions
from shared.contracts.errors import Invalid, Unavailable
from shared.kit.config.servers import Server
from shared.kit.config.settings import ServiceSettings
from tests.gateway.policy.conftest import MakeOpa
from tests.waiting import until

QUESTIONS = Questions(enabled=True)
ANN = PolicyInput(
    "user:default/ann", "user", ("user:default/ann",), "scaffolder.task.create"
)


def failures(reason: str) -> float:
    name = "callboard_gateway_policy_failures_total"
    return REGISTRY.get_sample_value(name, {"reason": reason}) or 0


async def refusal(server: Server) -> str:
    """Why nothing is decided."""
    async with OpaPolicy(server, QUESTIONS) as policy:
        with pytest.raises(Unavailable) as refused:
            await policy.decide(ANN)
    return refused.value.message


async def test_opa_is_queried_over_tls_with_a_token(secured_opa: Server) -> None:
    """With the CA and the token it decides."""
    async with OpaPolicy(secured_opa, QUESTIONS) as policy:
        assert (await policy.decide(ANN)).result == "allow"


async def test_a_wrong_token_is_an_error_that_names_the_setting(
    secured_opa: Server,
) -> None:
    """The error does not show the token."""
    for token in ("wrong-token", None):
        before = failures("refused")
        wrong = Server(secured_opa.address, None, token, secured_opa.ca)
        message = await refusal(wrong)
        assert "CALLBOARD_OPA_TOKEN" in message
        assert "wrong-token" not in message
        assert failures("refused") == before + 1


async def test_a_certificate_of_another_authority_is_refused(
    secured_opa: Server, tmp_path: Path
) -> None:
    """Neither the public authorities nor another CA have signed it."""
    for ca in (None, guard(tmp_path / "other").ca):
        other = Server(secured_opa.address, None, secured_opa.password, ca)
        assert "CALLBOARD_OPA_CA" in await refusal(other)


async def test_one_connection_is_used_for_many_queries(
    make_opa: MakeOpa,
) -> None:
    """A connection that was closed meanwhile is replaced silently."""
    opa = make_opa()
    opa.start()
    async with OpaPolicy(opa.address, QUESTIONS) as policy:
        for _ in range(2):
            for _ in range(20):
                assert (await policy.decide(ANN)).result == "allow"
            pool = policy._client._connector
            assert pool is not None
            assert sum(len(connections) for connections in pool._conns.values()) == 1
            opa.kill()
            opa.start()


async def test_every_decision_is_denied_without_opa() -> None:
    """For every caller and permission: 503, never allowed."""
    questions = Questions(enabled=False)
    async with OpaPolicy("http://127.0.0.1:9", questions) as policy:
        with pytest.raises(Unavailable, match="nothing is allowed") as refused:
            await policy.decide(ANN)
    assert refused.value.retry_after == 1


@pytest.mark.parametrize(
    "address",
    [
        "localhost:8181",
        "ftp://opa",
        "http://",
        "http://opa:99999",
        "http://opa/v1",
        "http://opa?x=1",
        "http://user:secret-word@opa",
    ],
)
def test_an_invalid_address_is_refused_at_start(address: str) -> None:
    """The error names the setting."""
    with pytest.raises(Invalid, match="CALLBOARD_OPA") as refused:
        OpaPolicy(address, QUESTIONS)
    assert "secret-word" not in refused.value.message


@pytest.mark.parametrize(
    ("address", "root"),
    [
        ("http://opa", "http://opa:8181/v1"),
        ("https://opa.example:443/", "https://opa.example:443/v1"),
        ("http://[::1]:8182", "http://[::1]:8182/v1"),
    ],
)
def test_a_valid_address_is_accepted(address: str, root: str) -> None:
    """The port is OPA's default unless another is given."""
    assert OpaPolicy(address, QUESTIONS)._client.root_url == root


def test_an_invalid_ca_file_is_refused_at_start(tmp_path: Path) -> None:
    """The error names the setting."""
    (tmp_path / "text").write_text("no certificate")
    for file in ("missing", "text"):
        with pytest.raises(Invalid, match=f"CALLBOARD_OPA_CA.*{file}"):
            OpaPolicy(Server("https://opa", ca=tmp_path / file), QUESTIONS)
    with pytest.raises(Invalid, match="CALLBOARD_OPA_CA: is for an https"):
        OpaPolicy(Server("http://opa", ca=tmp_path / "text"), QUESTIONS)


def test_the_settings_describe_the_opa_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No text of them shows the token."""
    monkeypatch.setenv("CALLBOARD_OPA_TOKEN", "secret-word")
    monkeypatch.setenv("CALLBOARD_OPA_CA", str(tmp_path / "ca.pem"))
    services = ("gateway", "catalog", "scaffolder", "techdocs", "search", "analytics")
    urls = {f"{name}_url": "http://127.0.0.1:1" for name in services}
    settings = ServiceSettings(
        opa="https://opa",
        kafka="x",
        mongodb="x",
        config=tmp_path,
        data=tmp_path,
        service_secret="x" * 32,
        port=0,
        **urls,
    )
    server = settings.policy_server
    assert server is not None
    assert (server.address, server.password) == ("https://opa", "secret-word")
    assert "secret-word" not in f"{settings!r} {server!r}"


async def test_a_metric_shows_that_the_opa_breaker_is_open(
    make_opa: MakeOpa,
) -> None:
    """The alert depends on it; the first response of OPA resets it."""
    name = "callboard_gateway_policy_away"
    opa = make_opa()
    async with OpaPolicy(opa.address, QUESTIONS) as policy:
        for _ in range(FAILURES):
            with pytest.raises(Unavailable):
                await policy.decide(ANN)
        assert REGISTRY.get_sample_value(name) == 1
        opa.start()
        await until(partial(answers, policy))
        assert REGISTRY.get_sample_value(name) == 0


async def answers(policy: OpaPolicy) -> bool:
    with contextlib.suppress(Unavailable):
        return (await policy.decide(ANN)).result == "allow"
    return False
