"""Formats of the envelope's fields: names, labels, tags, links.

The rules are those of Backstage's KubernetesValidatorFunctions and
FieldFormatEntityPolicy (catalog-model); each has a sentence that errors quote.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.contracts.errors import Invalid
from shared.guards.addresses import split_address

_LABEL = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_KIND = re.compile(r"[a-zA-Z][a-z0-9A-Z]*")
_SUFFIX = re.compile(r"[a-z0-9A-Z]+")
_TAG = re.compile(r"[a-z0-9:+#]+(-[a-z0-9:+#]+)*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
#: Schemes whose addresses need a host (WHATWG URL, "special").
_SPECIAL = frozenset({"http", "https", "ws", "wss", "ftp"})
_FORBIDDEN_IN_HOST = re.compile(r"[\s<>^|%#?@\\]")
LONGEST = 63
LONGEST_PREFIX = 253


@dataclass(frozen=True, slots=True)
class Format:
    """A test, and the sentence about what passes it."""

    holds: Callable[[str], bool]
    wants: str

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, or None."""
        if isinstance(value, str) and self.holds(value):
            return None
        return f"must be {self.wants}, found {_shortened(value)}"


def named(value: Any) -> str:
    """What a value is, in a descriptor's own words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"


def no_string(value: Any) -> str:
    """The rule that a value which is no string breaks, and how to keep it."""
    fix = ": put it in quotes" if isinstance(value, int | float) else ""
    return f"must be a string, found {named(value)}{fix}"


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _short(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    def holds(text: str) -> bool:
        return len(text) <= LONGEST and pattern.fullmatch(text) is not None

    return holds


is_name = _short(_NAME)
is_label = _short(_LABEL)
is_kind = _short(_KIND)
is_tag = _short(_TAG)
_is_suffix = _short(_SUFFIX)


def is_subdomain(text: str) -> bool:
    """Whether `text` is dot-separated DNS labels, 253 characters at most."""
    return 0 < len(text) <= LONGEST_PREFIX and all(map(is_label, text.split(".")))


def is_api_version(text: str) -> bool:
    """Whether `text` is `[prefix/]suffix`."""
    prefix, slash, suffix = text.rpartition("/")
    return _is_suffix(suffix) and (is_subdomain(prefix) if slash else True)


def is_key(text: str) -> bool:
    """Whether `text` may be a label's or an annotation's key: `[prefix/]name`."""
    prefix, slash, name = text.partition("/")
    if not slash:
        return is_name(text)
    return is_subdomain(prefix) and is_name(name)


def is_label_value(text: str) -> bool:
    """Whether `text` may be a label's value: empty, or by the rule of names."""
    return not text or is_name(text)


def is_url(text: str) -> bool:
    """Whether a browser would take `text` for an absolute address (WHATWG URL)."""
    try:
        parts = split_address(text.strip())
        scheme, rest = parts.scheme, text.strip().partition(":")[2]
        _ = parts.port
    except (Invalid, ValueError):
        return False
    if not _SCHEME.fullmatch(scheme) or not text.strip().isprintable():
        return False
    if scheme not in _SPECIAL:
        return True
    host = rest.lstrip("/\\").split("/")[0].rpartition("@")[2]
    return bool(host) and not _FORBIDDEN_IN_HOST.search(host)


API_VERSION = Format(
    is_api_version, "[prefix/]suffix: a DNS subdomain and 1-63 of [a-zA-Z0-9]"
)
KIND = Format(is_kind, "a letter followed by letters and digits, 1-63 in all")
NAME = Format(
    is_name, "sequences of [a-zA-Z0-9] separated by [-_.], 1-63 characters in all"
)
NAMESPACE = Format(
    is_label, "sequences of [a-z0-9] separated by [-], 1-63 characters in all"
)
KEY = Format(is_key, "[prefix/]name: a DNS subdomain and a name, as metadata.name")
LABEL_VALUE = Format(is_label_value, f"empty or {NAME.wants}")
TAG = Format(is_tag, "sequences of [a-z0-9:+#] separated by [-], 1-63 in all")
URL = Format(is_url, "an absolute URL")
