"""By which names the portal answers, and which pages may send it a change."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.forward.attempts import Attempts
from services.gateway.forward.front import RequestRouter
from services.gateway.forward.hosts import Misdirected, OwnHosts, is_loopback
from shared.contracts.errors import Invalid

PUBLIC = OwnHosts(
    "https://portal.example",
    ["http://gateway:8080", "http://127.0.0.1:7007"],
    ["old.example", "*.portal.example"],
)
LOCAL = OwnHosts("http://127.0.0.1:7007")


def accepts(hosts: OwnHosts, *names: str, path: str = "/api/catalog/entities") -> bool:
    try:
        hosts.check([(b"host", host.encode()) for host in names], path)
    except (Invalid, Misdirected):
        return False
    return True


@pytest.mark.parametrize(
    ("host", "public", "local"),
    [
        ("portal.example", True, False),
        ("PORTAL.example.", True, False),
        ("portal.example:8443", True, False),
        ("gateway:8080", True, False),
        ("old.example", True, False),
        ("a.b.portal.example", True, False),
        ("127.0.0.1:7007", True, True),
        ("127.0.0.1:9", True, True),
        ("127.8.9.1", False, True),
        ("localhost:7007", False, True),
        ("x.localhost", False, True),
        ("[::1]:7007", False, True),
        ("evil.example", False, False),
        ("portal.example.evil.example", False, False),
        ("xportal.example", False, False),
        ("evil.example@portal.example", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("localhost.evil.example", False, False),
        ("10.1.2.3", False, False),
        ("portal.example/x", False, False),
        ("[", False, False),
        ("", False, False),
    ],
)
def test_only_configured_host_names_are_accepted(
    host: str, public: bool, local: bool
) -> None:
    """Loopback names count while the portal itself is at the loopback."""
    assert accepts(PUBLIC, host) is public
    assert accepts(LOCAL, host) is local
    # The second time it is remembered, and the answer is the same.
    assert accepts(PUBLIC, host) is public


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ":80",
        "[",
        "{},evil.example",
        "{}, evil.example",
        "{}:7911, evil.example",
        "{}:evil.example",
        "{}:80#evil",
        "{}:80?evil",
        "{}:80 ",
        "{}:+80",
        "{}:-1",
        "{}:8_0",
        "{}:\u0663",
        "{}:65536",
        "{}:000080",
        "{}:80:80",
        "{}#evil",
        "{}?evil",
        "{}/evil",
        "{}\\evil",
        "{}\t",
        " {}",
        "{}..",
        "evil[{}]",
        "[{}]",
        "[{}]evil",
        "[::1]evil:80",
        "evil[::1]",
        "evil@{}",
        "x, y.portal.example",
        "*.portal.example",
    ],
)
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "portal.example"])
def test_more_than_a_host_and_a_port_is_malformed(text: str, name: str) -> None:
    """Nothing is ignored that another reader could take for the host."""
    value = text.format(name).encode("utf-8")
    for hosts in (LOCAL, PUBLIC):
        with pytest.raises(Invalid, match=r"^Host: "):
            hosts.check([(b"host", value)], "/api/catalog/entities")


@pytest.mark.parametrize("port", ["", ":", ":0", ":80", ":00080", ":65535"])
def test_any_port_is_accepted(port: str) -> None:
    """Only the owner of a name can make it point to another port's server."""
    for name in ("127.0.0.1", "LOCALHOST", "localhost.", "[::1]"):
        assert accepts(LOCAL, f"{name}{port}")


def test_a_port_of_an_allowed_host_is_ignored() -> None:
    """As the configuration takes one, and an address in brackets."""
    names = ["web.example.org:8443", "[2001:db8::1]:80", "*.below.example.org:9"]
    hosts = OwnHosts("https://portal.example.org", names=names)
    for host in ("web.example.org", "[2001:db8::1]", "a.below.example.org"):
        assert accepts(hosts, host), host
        assert accepts(hosts, f"{host}:7007"), host
    assert not accepts(hosts, "example.org")


def test_a_second_host_header_is_refused() -> None:
    """Different readers choose different ones of two."""
    assert not accepts(PUBLIC, "portal.example", "portal.example")
    assert not accepts(PUBLIC)


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/.backstage/health/v1/liveness"]
)
def test_health_routes_answer_under_any_host_name(path: str) -> None:
    """An orchestrator uses the container's address, a scraper its own name."""
    assert accepts(PUBLIC, "10.1.2.3:8080", path=path)
    assert accepts(PUBLIC, path=path)


@given(st.text(min_size=1, max_size=40))
def test_other_spellings_of_a_host_name_are_refused(text: str) -> None:
    """A name with anything before or after it is another name."""
    for host in (
        f"{text}.evil.example",
        f"{text}@evil.example",
        f"evil.example/{text}",
    ):
        assert not accepts(LOCAL, host.encode("utf-8", "ignore").decode("latin-1"))


def test_loopback_names_are_recognised() -> None:
    """Names that no resolver may point elsewhere."""
    assert is_loopback("::1")
    assert not is_loopback("128.0.0.1")
    assert not is_loopback("nolocalhost")


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ([(b"sec-fetch-site", b"same-origin")], True),
        ([(b"sec-fetch-site", b"none")], False),
        ([(b"sec-fetch-site", b"cross-site")], False),
        ([(b"sec-fetch-site", b"same-site")], False),
        ([(b"origin", b"https://portal.example")], True),
        ([(b"origin", b"http://gateway:8080")], True),
        ([(b"origin", b"https://old.example"), (b"host", b"old.example")], True),
        ([(b"origin", b"http://old.example"), (b"host", b"old.example")], False),
        ([(b"origin", b"https://evil.example"), (b"host", b"old.example")], False),
        ([(b"origin", b"https://portal.example:444")], False),
        ([(b"origin", b"null"), (b"host", b"old.example")], False),
        ([], False),
    ],
)
def test_same_origin_requests_are_recognised(
    headers: list[tuple[bytes, bytes]], own: bool
) -> None:
    """By Fetch Metadata, then by `Origin`; without either it is no page's."""
    assert PUBLIC.sent(headers) is own


class Unreachable:
    """What a refused request does not get to."""


@pytest.mark.parametrize(("ends", "answers"), [(True, 1), (False, 0)])
async def test_a_refusal_is_sent_after_the_body_is_read(
    ends: bool, answers: int
) -> None:
    """A client that still sends would not read it; an endless body gets no answer."""
    chunks = [b"user=", b"ann"]
    answered: list[int] = []

    async def receive() -> Any:
        if not chunks:
            return {"type": "http.disconnect"}
        body = chunks.pop(0)
        return {"type": "http.request", "body": body, "more_body": chunks or not ends}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    async def app(*_: object) -> None:
        raise AssertionError("it is not for this portal")

    front = RequestRouter(
        app,
        owned=(),
        paths=(),
        forwarder=Unreachable(),
        pages=Unreachable(),
        hosts=LOCAL,
        attempts=Attempts(),
    )
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/sign-in/as",
        "headers": [(b"host", b"evil.example")],
    }
    await front(scope, receive, send)
    assert answered == [421] * answers
