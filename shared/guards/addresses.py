"""Web addresses in one form, and rules about which of them may be read.

Addresses are compared in a normal form: escapes, dot segments, the host's case, port
and script are resolved as a server may resolve them. An address that two programs could
read in two ways is refused.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from shared.contracts.errors import Invalid

ADDRESS_LIMIT = 4096
#: The most characters of a host with its user and port in other scripts than Latin.
#: Python normalizes those in a time that grows with the square of a row of marks.
AUTHORITY_LIMIT = 512
PORTS = {"http": 80, "https": 443}
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_HOST = re.compile(
    r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
)
_DOT = re.compile(r"%2e", re.IGNORECASE)
#: The authority as Python's parser sees it: after blanks and a scheme, without tabs and
#: line breaks.
_AUTHORITY = re.compile(r"[\x00-\x20]*(?:[A-Za-z][A-Za-z0-9+.-]*:)?//([^/?#]*)")
#: What stands before the host of an address of the web, after the type of a location.
_START = re.compile(
    r"(?i)[\x00-\x20]*(?:[a-z]+[:+][\x00-\x20]*){0,3}"
    r"(?:(?:https?|ftps?|ssh|git):[/\\]+|(?<![:+])[/\\]{2})"
)
#: User names that are tokens of GitHub, GitLab and Bitbucket, or as long as one.
_TOKEN = re.compile(
    r"(?i)gh[opsur]_|github_pat_|gl(?:pat|dt|rt|ft|ptt|cbt|soat|agent)-|atbb|atctt"
    r"|[a-z0-9]{40}"
)
_DROPPED = str.maketrans("", "", "\t\r\n")
#: A separator that is escaped twice: a server that unescapes twice sees another path.
_TWICE = re.compile(r"%(2e|2f|5c|25)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """An http(s) address in normal form.

    `netloc` is the host, with its port if that is not the scheme's own; `raw_path` has
    its escapes, and no dot segments; `written_path` still has them.
    """

    scheme: str
    netloc: str
    raw_path: str
    query: str
    written_path: str = ""

    def readings(self) -> Iterator[list[str]]:
        """The segments of the path, in each way in which a server may read them.

        Servers differ: some unescape a slash before they split the path, some read a
        backslash as a slash, some drop empty segments before they follow `..`.
        """
        yield _names(self.raw_path)
        text = unquote(self.raw_path)
        for path in {text, text.replace("\\", "/")}:
            names = path.split("/")
            yield _resolved([name for name in names if name])
            yield [name for name in _resolved(names) if name]

    @property
    def is_escaped_once(self) -> bool:
        """Whether no separator comes out when the path is unescaped a second time."""
        return _TWICE.search(unquote(self.raw_path)) is None

    @property
    def url(self) -> str:
        """The address as a request must use it."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.netloc}{self.raw_path}{query}"


@dataclass(frozen=True, slots=True)
class AddressRule:
    """Allows the addresses of a host, or of all hosts below it if it begins with `*.`.

    `paths` limits it to these paths and what lies below them; none means every path.

    Raises:
        Invalid: if `host` is not a host's name.
    """

    host: str
    paths: Sequence[str] = ()

    def __post_init__(self) -> None:
        suffix = self.host.removeprefix("*.")
        if not suffix or re.search(r"[/?#*]", suffix):
            raise Invalid(
                f"host: {self.host!r} must be a host's name or *. and a domain"
            )
        parse_address(f"http://{suffix}/")

    def covers(self, address: Address) -> bool:
        """Whether the rule is about this address, however a server reads its path."""
        if not self._covers_host(address):
            return False
        if not self.paths:
            return True
        readings = list(address.readings())
        return address.is_escaped_once and any(
            all(reading[: len(names)] == names for reading in readings)
            for names in map(_names, self.paths)
        )

    def _covers_host(self, address: Address) -> bool:
        suffix = self.host.removeprefix("*.")
        # The scheme decides which port is left out of the normal form.
        expected = parse_address(f"{address.scheme}://{suffix}/").netloc
        if suffix == self.host:
            return address.netloc == expected
        return address.netloc.endswith(f".{expected}")


def is_web_address(text: str) -> bool:
    """Whether a text begins as an http(s) address; the case of a scheme is free."""
    return text[: len("https://")].lower().startswith(("http://", "https://"))


def split_address(text: str, label: str = "url") -> SplitResult:
    """The parts of any address, also a relative one.

    Raises:
        Invalid: if it cannot be split: half an IPv6 address, a host that changes when
            it is normalized (RFC 3986, section 3.2.2) or is longer than any name.
    """
    _check_authority(text, label)
    try:
        return urlsplit(text)
    except ValueError as error:
        raise Invalid(f"{label}: {_quoted(text)} is no address") from error


def require_no_password(text: str, label: str) -> None:
    """Check that an address, or `url:address`, holds no password and no token.

    For addresses that are stored and shown to others. An address that cannot be read
    counts too, if what stands before an `@` may be a password.

    Raises:
        Invalid: naming `label`, without the address.
    """
    text = text.translate(_DROPPED)
    start = _START.match(text)
    if start is None or "@" not in text:
        return
    rest = text[start.end() :]
    authority = re.split(r"[/\\?#]", rest, maxsplit=1)[0]
    user, has_user, host = authority.rpartition("@")
    port = host.rpartition("]")[2].partition(":")[2]
    # A password may hold a slash that should have been escaped.
    is_cut = not has_user and not re.fullmatch(r"[0-9]*", port)
    if is_cut or ":" in unquote(user) or _TOKEN.match(user):
        raise Invalid(
            f"{label}: must not hold a password or a token, because it is shown to "
            "others; the credentials of a host belong in integrations"
        )


def join_address(base: str, relative: str, label: str = "url") -> str:
    """`relative` as seen from `base`. Raises Invalid as `split_address` does."""
    for text in (base, relative):
        _check_authority(text, label)
    try:
        return urljoin(base, relative)
    except ValueError as error:
        raise Invalid(f"{label}: {_quoted(relative)} is no address") from error


def parse_address(url: str, *, users: bool = False) -> Address:
    """The normal form of an http(s) address.

    With `users`, a user's name before the host is dropped instead of refused.

    Raises:
        Invalid: if it is not an address, or programs could disagree about its meaning.
    """
    if len(url) > ADDRESS_LIMIT:
        raise Invalid(f"url: is over the limit of {ADDRESS_LIMIT} characters")
    if _UNSAFE.search(url.partition("?")[0].partition("#")[0].replace(" ", "")):
        raise Invalid(
            f"url: {_quoted(url)} must not hold control characters or backslashes"
        )
    _check_authority(url, "url")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Invalid(f"url: {_quoted(url)} is not an http(s) address") from error
    if parts.scheme not in PORTS or not host:
        raise Invalid(f"url: {_quoted(url)} is not an http(s) address")
    if "@" in parts.netloc and (not users or parts.password is not None):
        raise Invalid("url: must not hold a user or a password before its host")
    netloc = _normal_host(host)
    if port is not None and port != PORTS[parts.scheme]:
        netloc = f"{netloc}:{port}"
    written_path = quote(_DOT.sub(".", parts.path), safe="/%:@!$&'()*+,;=~[]{}|^")
    return Address(
        parts.scheme, netloc, _without_dots(written_path), parts.query, written_path
    )


def _check_authority(text: str, label: str) -> None:
    if text.isascii():
        return
    authority = _AUTHORITY.match(text.translate(_DROPPED))
    if authority is not None and len(authority[1]) > AUTHORITY_LIMIT:
        raise Invalid(f"{label}: a host has at most {AUTHORITY_LIMIT} characters")


def normal_netloc(host: str) -> str:
    """The normal form of a configured `host` or `host:port`, as in an https address.

    Raises:
        Invalid: if it is not a host.
    """
    return parse_address(f"https://{host}/").netloc


def _normal_host(host: str) -> str:
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host).compressed}]"
        except ValueError as error:
            raise Invalid(f"url: {host!r} is not a host") from error
    try:
        # IDNA gives other scripts, full stops and widths the one form resolvers use.
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise Invalid(f"url: {host!r} is not a host") from error
    name = name.removesuffix(".")
    if not _HOST.fullmatch(name) or len(name) > 253:
        raise Invalid(f"url: {host!r} is not a host")
    return name


def _without_dots(path: str) -> str:
    """A path as clients send it: without `.` and `..`."""
    names = path.removeprefix("/").split("/")
    final_segment = names[-1:] if names[-1] in (".", "..") else []
    return "/" + "/".join(_resolved(names) + [""] * len(final_segment))


def _names(path: str) -> list[str]:
    return [unquote(name) for name in path.split("/") if name]


def _resolved(names: Sequence[str]) -> list[str]:
    """The path segments after `.` and `..` are resolved."""
    resolved: list[str] = []
    for name in names:
        if name == "..":
            del resolved[-1:]
        elif name != ".":
            resolved.append(name)
    return resolved


def _quoted(url: str) -> str:
    scheme, has_host, rest = url.partition("//")
    if has_host and "@" in rest:
        url = f"{scheme}//***@{rest.rpartition('@')[2]}"
    return repr(url[:200])


def local_address(address: str) -> str:
    """The address that a form leads on to: one of this site, else the home page.

    The pages that sign in and out are none to go on to.
    """
    foreign = not address.startswith("/") or address.startswith(("//", "/\\"))
    broken = any(not char.isprintable() for char in address)
    return "/" if foreign or broken or address.startswith("/sign-") else address
