"""The headers that the gateway passes on, and those that it reads.

It works on bytes, because it runs for every request.
"""

from collections.abc import Iterable, Sequence

from shared.contracts.headers import AT_LEAST, REQUEST_ID
from shared.guards.cookies import cookie_in

Headers = Sequence[tuple[bytes, bytes]]

#: RFC 9110, section 7.6.1, and the headers that the client library writes itself.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
#: Headers of the client that services do not get; they get the principal instead.
WITHHELD = HOP_BY_HOP | {
    b"authorization",
    b"cookie",
    b"host",
    b"traceparent",
    b"tracestate",
    REQUEST_ID.encode(),
    b"expect",
}
OWN_PREFIX = b"callboard-"
#: Callboard's own headers that clients may send.
CLIENT_HEADERS = frozenset({AT_LEAST.encode()})


def to_service(headers: Headers) -> list[tuple[str, str]]:
    """The client's headers that the service gets."""
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name not in WITHHELD
        and (not name.startswith(OWN_PREFIX) or name in CLIENT_HEADERS)
    ]


def to_client(
    headers: Iterable[tuple[bytes, bytes]], prefix: str, upstream: str
) -> list[tuple[bytes, bytes]]:
    """The service's headers that the client gets; redirects lead below `prefix`."""
    client_headers = []
    for name, value in headers:
        lower = name.lower()
        if lower in HOP_BY_HOP:
            continue
        if lower == b"location":
            value = public_location(value, prefix, upstream)  # noqa: PLW2901
        client_headers.append((lower, value))
    return client_headers


def public_location(value: bytes, prefix: str, upstream: str) -> bytes:
    """The target of a redirect for the client."""
    value = value.removeprefix(upstream.encode())
    if value.startswith(b"/") and not value.startswith((b"/api/", b"//")):
        return prefix.encode() + value
    return value


def find(headers: Headers, name: bytes) -> bytes | None:
    """The first value of a header; names are lower case."""
    for key, value in headers:
        if key == name:
            return value
    return None


def text(headers: Headers, name: bytes) -> str | None:
    """The first value of a header, decoded."""
    value = find(headers, name)
    return None if value is None else value.decode("latin-1")


def cookie(headers: Headers, name: bytes) -> str | None:
    """The value of one cookie, in any of the cookie headers."""
    for key, value in headers:
        if key == b"cookie" and name in value:
            cookie_value = cookie_in(value.decode("latin-1"), name.decode("latin-1"))
            if cookie_value is not None:
                return cookie_value
    return None
