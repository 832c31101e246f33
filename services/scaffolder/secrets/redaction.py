"""Masks secrets in text that people read: logs, errors, events, answers.

A run renders values twice, once with stand-ins for its secrets (`dual_values`). From
the two forms the redactor learns the texts made of secrets, and what to show instead.
"""

import base64
import html
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from shared.contracts.errors import TooLarge

MASK = "***"
_SHORTEST = 2
_SHORTEST_LINE = 8
#: A shorter text made of secrets is replaced only where it is the whole text.
_SHORTEST_DERIVED = 4
_MOST = 50_000
_MOST_STORED = 500_000
#: Characters of a long line times texts to search for in it: some 50 ms.
_MOST_SEARCHED = 100_000_000


class Redactor:
    """Knows the secret texts of one run, and the forms in which they may appear."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._parts: dict[str, str] = {}
        self._wholes: dict[str, str] = {}
        self._longest_first: tuple[tuple[str, str], ...] | None = None
        self._learned: dict[str, str] = {}
        self._learning = threading.Lock()
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Learn more secrets: each of their forms is masked wherever it appears."""
        for secret in secrets:
            for form in _forms(secret):
                self._parts.setdefault(form, MASK)
        self._longest_first = None

    def learn(self, real: Any, public: Any, derived: Iterable[str] = ()) -> None:
        """Learn the texts that a rendering made of secrets.

        `public` is the same rendering with stand-ins for the secrets, whose texts are
        shown instead. `derived` are texts that expressions made of secrets on the way.

        Raises:
            TooLarge: if there are too many texts to search every line for.
        """
        with self._learning:
            for text in derived:
                self._learn(text, MASK)
            for text, masked in differences(real, public):
                self._learn(text, masked)
                for line, instead in _lines(text, masked):
                    self._learn(line, instead)
            if len(self._parts) > _MOST:
                raise TooLarge(
                    f"secrets: a run may make at most {_MOST} texts of its secrets"
                )

    def has_fragments(self, real: Any, public: Any, derived: Iterable[str]) -> bool:
        """Whether a rendering made pieces of secrets too short to be masked in a line.

        Even whether a line holds such a piece would reveal a part of the secret.
        """
        pieces = (*derived, *(text for text, _ in differences(real, public)))
        return any(
            text.strip() and len(text) < _SHORTEST_DERIVED and text not in self._parts
            for text in pieces
        )

    def whole(self, text: str) -> str:
        """What to show for a text that was learned as a whole; stars for any other."""
        return self._wholes.get(text, MASK)

    def recall(self, learned: Mapping[str, str]) -> None:
        """Learn the texts that an earlier process of the same run learned."""
        with self._learning:
            for text, masked in learned.items():
                self._learn(text, masked)

    @property
    def learned(self) -> dict[str, str]:
        """The texts made of secrets, for a process that resumes the run."""
        room, stored = _MOST_STORED, {}
        for text, masked in list(self._learned.items()):
            room -= len(text) + len(masked)
            if room >= 0:
                stored[text] = masked
        return stored

    def text(self, text: str) -> str:
        """`text` with each secret as `***`."""
        masked = self._wholes.get(text, text)
        if self._longest_first is None:
            ordered = sorted(self._parts.items(), key=_longest_first)
            self._longest_first = tuple(ordered)
        for secret, instead in self._longest_first:
            if secret in masked:
                masked = masked.replace(secret, instead)
        return masked

    def beginning(self, text: str, longest: int) -> str:
        """The first characters of a text that may be long, at most `longest`."""
        masked = self._wholes.get(text, text)
        size = len(masked)
        if size <= longest:
            return self.text(masked)
        # A secret that begins before the cut is found only if it is searched whole.
        margin = max(map(len, self._parts), default=0)
        masked = masked[: longest + margin]
        if len(masked) * len(self._parts) > _MOST_SEARCHED:
            return f"{MASK} ({size} characters, too many to look for secrets in)"
        masked = self.text(masked)
        return f"{masked[:longest]}… ({size} characters)"

    def value(self, value: Any) -> Any:
        """A JSON value with each of its texts redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, Mapping):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            text = str(value)
            return MASK if text in self._parts or text in self._wholes else value
        return value

    def _learn(self, text: str, masked: str) -> None:
        if not text.strip():
            return
        self._learned.setdefault(text, masked)
        self._wholes.setdefault(text, masked)
        # Without stars in the public form, a condition chose the text by a secret: the
        # text itself may be a common word.
        if len(text) >= _SHORTEST_DERIVED and "*" in masked:
            self._parts.setdefault(text, masked)
            self._parts.setdefault(json.dumps(text)[1:-1], json.dumps(masked)[1:-1])
            self._longest_first = None


def _longest_first(item: tuple[str, str]) -> int:
    return -len(item[0])


def _forms(secret: str) -> set[str]:
    """A secret, its lines, and its usual encodings."""
    stripped = secret.strip()
    if len(stripped) < _SHORTEST or not stripped.strip("*"):
        return set()
    forms = {secret, stripped, *_encoded(stripped)}
    forms |= {
        line.strip()
        for line in stripped.splitlines()
        if len(line.strip()) >= _SHORTEST_LINE
    }
    return {form for form in forms if len(form) >= _SHORTEST}


def _encoded(text: str) -> Iterator[str]:
    raw = text.encode(errors="surrogatepass")
    yield quote(text, safe="", errors="surrogatepass")
    yield quote_plus(text, errors="surrogatepass")
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield html.escape(text)
    if len(text) >= _SHORTEST_LINE:
        yield from (text.upper(), text.lower(), text[::-1], raw.hex())
        yield from _inner_base64(raw)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(raw).decode()
        yield encoded
        yield encoded.rstrip("=")


def _inner_base64(raw: bytes) -> Iterator[str]:
    """The base64 of `raw` within a longer text, such as `name:password`."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        # The letters at either end hold bits of the neighbouring bytes too.
        first = -(-before * 8 // 6)
        last = (before + len(raw)) * 8 // 6
        yield encoded[first:last]
        yield encoded[first:last].replace("+", "-").replace("/", "_")


def differences(real: Any, public: Any) -> Iterator[tuple[str, str]]:
    """The texts in which two forms differ: that of `real`, that of `public`.

    Both are JSON values that one template rendered to.
    """
    if isinstance(real, str) and isinstance(public, str):
        if real != public:
            yield real, public
    elif isinstance(real, Mapping) and isinstance(public, Mapping):
        for key, item in real.items():
            if key in public:
                yield from differences(item, public[key])
            else:
                yield from ((text, MASK) for text in (key, *texts(item)))
    elif _are_lists(real, public) and len(real) == len(public):
        for one, other in zip(real, public, strict=True):
            yield from differences(one, other)
    elif real != public:
        common = set(texts(public))
        yield from ((text, MASK) for text in texts(real) if text not in common)


def _are_lists(real: Any, public: Any) -> bool:
    return isinstance(real, list) and isinstance(public, list)


def _lines(real: str, public: str) -> Iterator[tuple[str, str]]:
    """The lines in which two forms of a text differ, each with its public form."""
    if "\n" not in real:
        return
    lines, public_lines = real.splitlines(), public.splitlines()
    if len(lines) == len(public_lines):
        pairs = list(zip(lines, public_lines, strict=True))
    else:
        common = set(public_lines)
        pairs = [(line, MASK) for line in lines if line not in common]
    for line, masked in pairs:
        if line != masked and len(line.strip()) >= _SHORTEST_LINE:
            yield line.strip(), masked.strip()


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


def derived(with_secrets: list[str], without: list[str]) -> list[str]:
    """The texts that expressions made of secrets: those in which two traces differ.

    A trace has the texts of one input's expressions, in order.
    """
    if len(with_secrets) != len(without):
        # A condition or loop depends on a secret: any new text may be made of it.
        common = set(without)
        return [text for text in with_secrets if text not in common]
    return [
        text for text, other in zip(with_secrets, without, strict=True) if text != other
    ]
