"""Secrets: sealed where they are kept, masked where people read."""

import base64

import pytest

from services.scaffolder.dialect.json_rendering import rendered
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.secrets.redaction import Redactor, derived
from services.scaffolder.secrets.vault import FernetVault
from shared.contracts.errors import Invalid
from tests.costs import limit_processor_time


def test_the_vault_returns_what_it_encrypted() -> None:
    """A sealed value cannot be read, and can be opened again."""
    vault = FernetVault("a-secret-of-the-house")
    sealed = vault.seal({"token": "hunter2"})
    assert "hunter2" not in sealed
    assert base64.b64encode(b"hunter2").decode().rstrip("=") not in sealed
    assert FernetVault("a-secret-of-the-house").open(sealed) == {"token": "hunter2"}


def test_another_installation_cannot_decrypt_secrets() -> None:
    """Another service secret is another key, and the error says what to do."""
    sealed = FernetVault("one").seal({"a": "b"})
    with pytest.raises(Invalid, match="secrets"):
        FernetVault("two").open(sealed)


@pytest.mark.parametrize(
    "text",
    [
        "the password is p@ss word!",
        "https://x/?q=p%40ss%20word%21",
        base64.b64encode(b"p@ss word!").decode(),
        '{"a": "p@ss word!"}',
    ],
)
def test_every_form_of_a_secret_is_masked(text: str) -> None:
    """Plain, in a URL, in base64 and in JSON."""
    redacted_text = Redactor(["p@ss word!"]).text(text)
    assert "***" in redacted_text
    assert "word" not in redacted_text.replace("password", "")


def test_secrets_within_values_are_masked() -> None:
    """Keys, texts and numbers of a JSON value."""
    redactor = Redactor(["hunter2", "12345"])
    value = {"a": ["x hunter2"], "hunter2": 12345, "n": 7}
    assert redactor.value(value) == {"a": ["x ***"], "***": "***", "n": 7}


def test_lines_of_a_long_secret_are_masked() -> None:
    """A key of several lines is not shown line by line."""
    redactor = Redactor(["-----BEGIN-----\nabcdefghij\n-----END-----"])
    assert redactor.text("got abcdefghij") == "got ***"


def test_a_single_letter_is_not_masked() -> None:
    """Masking every `a` would make the log unreadable and hide nothing."""
    assert Redactor(["a"]).text("banana") == "banana"


def test_texts_derived_from_secrets_are_found() -> None:
    """Texts that expressions would not give without the secrets."""
    assert derived(["HUNTER2", "same"], ["", "same"]) == ["HUNTER2"]
    assert derived(["a", "x2", "y"], ["a", "y"]) == ["x2"]


def test_only_the_secret_part_of_a_message_is_masked() -> None:
    """The text of the expression is masked, not the sentence around it."""
    step_input = {"a": "key ${{ secrets.key | upper }} of {% if secrets %}x{% endif %}"}
    trace: list[str] = []
    rendered_input = rendered(
        TemplateDialect(), step_input, {"secrets": {"key": "hunter2"}}, trace
    )
    assert rendered_input == {"a": "key HUNTER2 of x"}
    assert trace == ["HUNTER2"]


def test_a_long_text_is_cut_after_its_secrets_are_masked() -> None:
    """A secret at the cut is not shown in part."""
    redactor = Redactor(["hunter2hunter2"])
    redacted_text = redactor.beginning("a" * 95 + "hunter2hunter2" + "b" * 1000, 100)
    assert redacted_text == "a" * 95 + "***bb… (1109 characters)"


def test_a_long_text_with_many_long_secrets_is_hidden() -> None:
    """Searching it for all secrets would block other work."""
    redactor = Redactor(f"{number}-" + "x" * 100_000 for number in range(200))
    text = "y" * 500_000
    with limit_processor_time(1):
        redacted_text = redactor.beginning(text, 1_000)
    assert redacted_text == "*** (500000 characters, too many to look for secrets in)"
    assert redactor.beginning("yes", 1_000) == "yes"


def test_a_secret_within_longer_base64_is_masked() -> None:
    """The password of a basic authorization header, for any user name."""
    for name in ("a", "bo", "cyd", "dora"):
        encoded = base64.b64encode(f"{name}:hunter2hunter2 etc".encode()).decode()
        redacted_text = Redactor(["hunter2hunter2"]).text(f"Basic {encoded}")
        assert "***" in redacted_text
        assert len(redacted_text) < len(f"Basic {encoded}") - 10
