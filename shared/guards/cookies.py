"""Cookies of a request, read in one pass: names, and values as they were sent.

The readers of Python and of the frameworks take the escapes out of quoted values in
time that grows with the square of their length. The values set here are never quoted,
so a quoted one belongs to somebody else: it is left out before a framework reads it.
"""

from collections.abc import Iterable

_QUOTE = b'"'


def cookie_in(header: str | None, name: str) -> str | None:
    """The value of the first cookie with that name (RFC 6265, section 5.4)."""
    wanted = f"{name}="
    if not header or wanted not in header:
        return None
    for pair in header.split(";"):
        stripped = pair.strip()
        if stripped.startswith(wanted):
            return stripped[len(wanted) :].strip()
    return None


def plain_cookies(
    headers: Iterable[tuple[bytes, bytes]],
) -> list[tuple[bytes, bytes]]:
    """The headers with one header of cookies at most, without quoted values.

    Args:
        headers: Pairs of name and value; names are lower case.
    """
    kept: list[tuple[bytes, bytes]] = []
    pairs: list[bytes] = []
    for name, value in headers:
        if name == b"cookie":
            pairs += [pair for pair in value.split(b";") if _QUOTE not in pair]
        else:
            kept.append((name, value))
    cookies = b";".join(pairs).strip()
    return [*kept, (b"cookie", cookies)] if cookies else kept


def are_plain(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a framework may read the cookies of these headers as they are."""
    cookies = [value for name, value in headers if name == b"cookie"]
    return len(cookies) < 2 and not any(_QUOTE in value for value in cookies)
