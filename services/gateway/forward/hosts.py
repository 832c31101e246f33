"""The host names of this portal, and the origins that may send it a change.

A foreign web page can make its own name point to this machine (DNS rebinding): for the
browser its requests then have the portal's origin, and only `Host` distinguishes them.
So `Host` must be a name of the configuration.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from services.gateway.forward.headers import Headers, find, text
from shared.contracts.errors import CallboardError, Invalid

HOST = b"host"
#: Paths of probes, which use any address of the process.
HEALTH_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
HEALTH_BELOW = "/.backstage/health/"
SAME_ORIGIN = b"same-origin"
#: Values of `Host` that are cached as accepted.
CACHED_HOSTS = 100
DEFAULT_PORTS = {"http": 80, "https": 443}
MOST_PORT = 65535
#: A name or an address in brackets, and a port (RFC 9110, section 7.2), in whole.
_HOST = re.compile(
    r"(?:(?P<name>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\.?"
    r"|\[(?P<address>[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[0-9]{0,5}))?"
)


class Misdirected(CallboardError):
    """The request names a host that is not this portal (RFC 9110, section 15.5.20)."""

    name = "MisdirectedRequestError"
    status = 421


class OwnHosts:
    """The portal's names, from its addresses and the list `backend.allowedHosts`.

    `base_url` is the public address; the installation itself also uses `addresses`;
    `names` may begin with `*.`. Ports are ignored, because only the owner of a name can
    make it point anywhere. If the public address is the loopback, all names that always
    mean the loopback are accepted.
    """

    def __init__(
        self, base_url: str, addresses: Iterable[str] = (), names: Iterable[str] = ()
    ) -> None:
        base = urlsplit(base_url)
        self._scheme = base.scheme
        urls = [base, *map(urlsplit, addresses)]
        self._origins = frozenset(_origin(url) for url in urls)
        allowed_hosts = (urlsplit(f"//{name}").hostname or "" for name in names)
        allowed_names = [name.rstrip(".") for name in allowed_hosts]
        self._names = {url.hostname or "" for url in urls} | set(allowed_names)
        self._below = tuple(name[1:] for name in allowed_names if name.startswith("*."))
        self._is_local = is_loopback(base.hostname or "")
        self._accepted: set[bytes] = set()

    def check(self, headers: Headers, path: str) -> None:
        """Refuse a request to a host that is not this portal.

        Raises:
            Invalid: if it names no host, or several, or more than a host and a port.
            Misdirected: if the host is not this portal.
        """
        if path in HEALTH_PATHS or path.startswith(HEALTH_BELOW):
            return
        values = [value for name, value in headers if name == HOST]
        if len(values) != 1:
            raise Invalid("Host: must be given once")
        if values[0] not in self._accepted:
            self._accept(values[0])

    def _accept(self, value: bytes) -> None:
        host = value.decode("latin-1")
        name = _name_in(host)
        if not self._is_own(name):
            raise Misdirected(
                f"Host: {host[:100]!r} is not this portal's; its names are those of "
                "backend.baseUrl and backend.allowedHosts"
            )
        if len(self._accepted) < CACHED_HOSTS:
            self._accepted.add(value)

    def sent(self, headers: Headers) -> bool:
        """Whether, by the browser's headers, a page of this portal sent the request.

        Fetch Metadata counts if the browser sends it, else `Origin`. A request with
        neither comes from no page: every current browser sends one with a form.
        """
        site = find(headers, b"sec-fetch-site")
        if site is not None:
            return site == SAME_ORIGIN
        origin = text(headers, b"origin")
        if origin is None:
            return False
        # `Host` was checked to be one of the portal's names.
        own = f"{self._scheme}://{(text(headers, HOST) or '').lower()}"
        return origin in self._origins or origin.lower() == own

    def _is_own(self, name: str) -> bool:
        return (
            name in self._names
            or name.endswith(self._below)
            or (self._is_local and is_loopback(name))
        )


def is_loopback(name: str) -> bool:
    """Whether a name always means this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _name_in(host: str) -> str:
    """The name in a `Host` header, without port.

    Python's `urlsplit` reads a name out of texts that others read differently, such as
    `own:80, other` and `own?other`.

    Raises:
        Invalid: if the header is more than a name and a port, or the port is none.
    """
    match = _HOST.fullmatch(host)
    if match is None or int(match["port"] or 0) > MOST_PORT:
        raise Invalid(f"Host: {host[:100]!r} is no host's name, alone or with a port")
    return (match["name"] or match["address"]).lower()


def _origin(url: SplitResult) -> str:
    """The origin as a browser writes it, without a default port."""
    name = url.hostname or ""
    host = f"[{name}]" if ":" in name else name
    if url.port is None or url.port == DEFAULT_PORTS.get(url.scheme):
        return f"{url.scheme}://{host}"
    return f"{url.scheme}://{host}:{url.port}"
