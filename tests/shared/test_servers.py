"""Where a backing server answers, and how a service proves itself there."""

from pathlib import Path

import pytest

from shared.kit.config.servers import Server


def test_the_password_is_in_no_text_of_a_server() -> None:
    """Neither its representation nor what it is formatted to holds it."""
    server = Server("kafka:9092", "ann", "hush")
    assert "hush" not in f"{server} {server!r}"
    assert "ann" in repr(server)


@pytest.mark.parametrize(
    ("server", "encrypted"),
    [
        (Server("kafka:9092"), False),
        (Server("kafka:9092", tls=True), True),
        (Server("kafka:9092", ca=Path("ca.pem")), True),
        (Server("https://opa:8181"), True),
        (Server.of("http://opa:8181"), False),
    ],
)
def test_tls_is_used_where_it_is_configured(server: Server, encrypted: bool) -> None:
    """By the setting, by an authority, or by the address."""
    assert server.encrypted is encrypted


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_an_invalid_authority_file_is_named(tmp_path: Path, text: str | None) -> None:
    """A file that is missing or holds no certificate."""
    file = tmp_path / "authority.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(OSError, match=r"authority\.pem"):
        Server("kafka:9092", ca=file).context()
