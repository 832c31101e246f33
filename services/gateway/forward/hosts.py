"""By which names this portal is called, and whose pages may send it a change.

A web page of anybody can make its own name point to this machine (DNS rebinding): then
its requests are of one origin with the portal for the browser, and `Host` is all that
tells them apart. So `Host` must be a name that the configuration knows.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from services.gateway.forward.headers import Headers, find, text
from shared.contracts.errors import CallboardError, Invalid

HOST = b"host"
#: Asked for by whoever keeps the process running, by whatever address it has.
HEALTH_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
HEALTH_BELOW = "/.backstage/health/"
SAME_ORIGIN = b"same-origin"
#: Spellings of `Host` that are remembered as good.
MOST_KNOWN = 100
DEFAULT_PORTS = {"http": 80, "https": 443}


class Misdirected(CallboardError):
    """The request names a host that is not this portal (RFC 9110, section 15.5.20)."""

    name = "MisdirectedRequestError"
    status = 421


class OwnHosts:
    """The portal's names, from its addresses and the list `backend.allowedHosts`.

    `base_url` is where people find it; `addresses` are further ones that the
    installation itself uses; `names` may begin with `*.`. A port is not looked at:
    nobody can make somebody else's name point anywhere. While the portal's own address
    is the loopback, it may be called by any name that always is.
    """

    def __init__(
        self, base_url: str, addresses: Iterable[str] = (), names: Iterable[str] = ()
    ) -> None:
        base = urlsplit(base_url)
        self._scheme = base.scheme
        urls = [base, *map(urlsplit, addresses)]
        self._origins = frozenset(_origin(url) for url in urls)
        listed = [name.lower().rstrip(".") for name in names]
        self._names = {url.hostname or "" for url in urls} | set(listed)
        self._below = tuple(name[1:] for name in listed if name.startswith("*."))
        self._is_local = is_loopback(base.hostname or "")
        self._known: set[bytes] = set()

    def check(self, headers: Headers, path: str) -> None:
        """Refuse a request to a host that is not this portal.

        Raises:
            Invalid: if it names no host, or several.
            Misdirected: if the host is somebody else's.
        """
        if path in HEALTH_PATHS or path.startswith(HEALTH_BELOW):
            return
        given = [value for name, value in headers if name == HOST]
        if len(given) != 1:
            raise Invalid("Host: must be given once")
        if given[0] not in self._known:
            self._learn(given[0])

    def _learn(self, given: bytes) -> None:
        host = given.decode("latin-1")
        name = _name_in(host)
        if not name or not self._is_own(name):
            raise Misdirected(
                f"Host: {host[:100]!r} is not this portal's; its names are those of "
                "backend.baseUrl and backend.allowedHosts"
            )
        if len(self._known) < MOST_KNOWN:
            self._known.add(given)

    def sent(self, headers: Headers) -> bool:
        """Whether a browser says that a page of this portal sent the request.

        Fetch Metadata where the browser sends it, else `Origin`. A request with neither
        is nobody's page: no browser of today sends a form without them.
        """
        site = find(headers, b"sec-fetch-site")
        if site is not None:
            return site == SAME_ORIGIN
        origin = text(headers, b"origin")
        if origin is None:
            return False
        # `Host` is one of the portal's names: it was checked.
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
    """The name in a `Host` header, without port; "" if it is not one."""
    if "@" in host or "/" in host:
        return ""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _origin(url: SplitResult) -> str:
    """The origin as a browser writes it: a default port is left out."""
    name = url.hostname or ""
    host = f"[{name}]" if ":" in name else name
    if url.port is None or url.port == DEFAULT_PORTS.get(url.scheme):
        return f"{url.scheme}://{host}"
    return f"{url.scheme}://{host}:{url.port}"
