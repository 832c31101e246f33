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


async def test_tls_and_token(secured_opa: Server) -> None:
    """With the CA and the token it decides."""
    async with OpaPolicy(secured_opa, QUESTIONS) as policy:
        assert (await policy.decide(ANN)).result == "allow"


async def test_a_wrong_token_names_the_setting(secured_opa: Server) -> None:
    """And does not show it."""
    for token in ("wrong-token", None):
        before = failures("refused")
        wrong = Server(secured_opa.address, None, token, secured_opa.ca)
        message = await refusal(wrong)
        assert "CALLBOARD_OPA_TOKEN" in message
        assert "wrong-token" not in message
        assert failures("refused") == before + 1


async def test_a_certificate_of_somebody_else_is_refused(
    secured_opa: Server, tmp_path: Path
) -> None:
    """The public authorities do not know it, nor does another CA."""
    for ca in (None, guard(tmp_path / "other").ca):
        other = Server(secured_opa.address, None, secured_opa.password, ca)
        assert "CALLBOARD_OPA_CA" in await refusal(other)


async def test_one_connection_serves_question_after_question(
    make_opa: MakeOpa,
) -> None:
    """And one that ended meanwhile is replaced without a word."""
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


async def test_nobody_there_means_no() -> None:
    """Whoever asks, whatever for: 503, never yes."""
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
def test_an_address_that_is_none(address: str) -> None:
    """Refused at start, naming the setting."""
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
def test_an_address_that_is_one(address: str, root: str) -> None:
    """The port is OPA's unless another is given."""
    assert OpaPolicy(address, QUESTIONS)._client.root_url == root


def test_a_ca_that_is_none(tmp_path: Path) -> None:
    """Refused at start, naming the setting."""
    (tmp_path / "text").write_text("no certificate")
    for file in ("missing", "text"):
        with pytest.raises(Invalid, match=f"CALLBOARD_OPA_CA.*{file}"):
            OpaPolicy(Server("https://opa", ca=tmp_path / file), QUESTIONS)
    with pytest.raises(Invalid, match="CALLBOARD_OPA_CA: is for an https"):
        OpaPolicy(Server("http://opa", ca=tmp_path / "text"), QUESTIONS)


def test_the_settings_make_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The token shows in no text of them."""
    monkeypatch.setenv("CALLBOARD_OPA_TOKEN", "secret-word")
    monkeypatch.setenv("CALLBOARD_OPA_CA", str(tmp_path / "ca.pem"))
    urls = {f"{name}_url": "x" for name in ("gateway", "catalog", "scaffolder")}
    settings = ServiceSettings(
        opa="https://opa",
        kafka="x",
        mongodb="x",
        config=tmp_path,
        data=tmp_path,
        service_secret="x" * 32,
        techdocs_url="x",
        search_url="x",
        analytics_url="x",
        port=0,
        **urls,
    )
    server = settings.policy_server
    assert server is not None
    assert (server.address, server.password) == ("https://opa", "secret-word")
    assert "secret-word" not in f"{settings!r} {server!r}"


async def test_the_metric_says_while_the_server_is_not_asked(
    make_opa: MakeOpa,
) -> None:
    """An alert is on it; it ends with the first answer."""
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
