"""Reads a request's cookies in one pass and leaves quoted values out.

Python's and the frameworks' readers unescape quoted values in time that grows with the
square of their length. Callboard never sets quoted values, so a quoted one is foreign:
it is removed before a framework reads the headers.
"""

from collections.abc import Iterable

_QUOTE = b'"'


def cookie_in(header: str | None, name: str) -> str | None:
    """The value of the first cookie with that name (RFC 6265, section 5.4)."""
    prefix = f"{name}="
    if not header or prefix not in header:
        return None
    for pair in header.split(";"):
        stripped = pair.strip()
        if stripped.startswith(prefix):
            return stripped[len(prefix) :].strip()
    return None


def plain_cookies(
    headers: Iterable[tuple[bytes, bytes]],
) -> list[tuple[bytes, bytes]]:
    """The headers with at most one cookie header, which has no quoted values.

    Args:
        headers: Pairs of name and value; names are lower case.
    """
    other_headers: list[tuple[bytes, bytes]] = []
    pairs: list[bytes] = []
    for name, value in headers:
        if name == b"cookie":
            pairs += [pair for pair in value.split(b";") if _QUOTE not in pair]
        else:
            other_headers.append((name, value))
    cookies = b";".join(pairs).strip()
    return [*other_headers, (b"cookie", cookies)] if cookies else other_headers


def are_plain(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a framework may read the cookies of these headers as they are."""
    cookies = [value for name, value in headers if name == b"cookie"]
    return len(cookies) < 2 and not any(_QUOTE in value for value in cookies)
