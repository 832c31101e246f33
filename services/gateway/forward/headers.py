"""Which headers cross the gateway, and what is read out of them on the way.

Bytes in, bytes out: this runs for every request.
"""

from collections.abc import Iterable, Sequence

from shared.contracts.headers import AT_LEAST, REQUEST_ID
from shared.guards.cookies import cookie_in

Headers = Sequence[tuple[bytes, bytes]]

#: RFC 9110, section 7.6.1, and what the client library writes itself.
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
#: The services get the principal instead; nobody else's word about it may pass.
KEPT_BACK = HOP_BY_HOP | {
    b"authorization",
    b"cookie",
    b"host",
    b"traceparent",
    b"tracestate",
    REQUEST_ID.encode(),
    b"expect",
}
OUR_OWN = b"callboard-"
#: Questions that clients of the catalog may put in headers of ours.
OURS_FROM_CLIENTS = frozenset({AT_LEAST.encode()})


def to_service(headers: Headers) -> list[tuple[str, str]]:
    """What of the client's headers goes on to the service."""
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name not in KEPT_BACK
        and (not name.startswith(OUR_OWN) or name in OURS_FROM_CLIENTS)
    ]


def to_client(
    headers: Iterable[tuple[bytes, bytes]], prefix: str, upstream: str
) -> list[tuple[bytes, bytes]]:
    """What of the service's headers goes back; redirects lead below `prefix`."""
    kept = []
    for name, value in headers:
        lower = name.lower()
        if lower in HOP_BY_HOP:
            continue
        if lower == b"location":
            value = public_location(value, prefix, upstream)  # noqa: PLW2901
        kept.append((lower, value))
    return kept


def public_location(value: bytes, prefix: str, upstream: str) -> bytes:
    """A redirect's target as the client may follow it."""
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
    found = find(headers, name)
    return None if found is None else found.decode("latin-1")


def cookie(headers: Headers, name: bytes) -> str | None:
    """The value of one cookie, in whichever header it is."""
    for key, value in headers:
        if key == b"cookie" and name in value:
            found = cookie_in(value.decode("latin-1"), name.decode("latin-1"))
            if found is not None:
                return found
    return None
