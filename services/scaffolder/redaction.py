"""Takes secrets out of text that people read: logs, errors, events, answers."""

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

MASK = "***"
_SHORTEST = 2
_SHORTEST_LINE = 8


class Redactor:
    """Knows the secret texts of one run, and the forms in which they may appear."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Learn more secrets, such as values made from others."""
        found = {form for secret in secrets for form in _forms(secret)} - self._known
        if found:
            self._known |= found
            longest_first = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """`text` with each secret as `***`."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def value(self, value: Any) -> Any:
        """The same for every text within a JSON value."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, Mapping):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return MASK if str(value) in self._known else value
        return value


def _forms(secret: str) -> set[str]:
    """A secret, its lines, and its usual encodings."""
    stripped = secret.strip()
    if len(stripped) < _SHORTEST:
        return set()
    raw = stripped.encode(errors="surrogatepass")
    forms = {
        secret,
        stripped,
        quote(stripped, safe="", errors="surrogatepass"),
        json.dumps(stripped)[1:-1],
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
    }
    forms |= {
        line.strip()
        for line in stripped.splitlines()
        if len(line.strip()) >= _SHORTEST_LINE
    }
    return forms


def texts(value: Any) -> Iterable[str]:
    """Every text and number within a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)


def derived(with_secrets: Sequence[str], without: Sequence[str]) -> Iterable[str]:
    """What expressions gave only because of the secrets: the texts that differ.

    Both are the texts that the expressions of one input gave, in order.
    """
    if len(with_secrets) != len(without):
        # A condition or loop hangs on a secret: whatever is new may be made of it.
        known = set(without)
        return [text for text in with_secrets if text not in known]
    return [
        text for text, other in zip(with_secrets, without, strict=True) if text != other
    ]
