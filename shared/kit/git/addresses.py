"""Parses web addresses of Git hosts to `GitTarget`, and formats them back.

`host_dialects` has the address formats of each kind of host. Formatting and parsing are
inverse: `parse_url(target.url(), hosts) == target`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, quote, unquote, urlunsplit

from shared.contracts.errors import Forbidden, Invalid
from shared.guards.addresses import (
    is_web_address,
    join_address,
    parse_address,
    split_address,
)
from shared.guards.foreign_paths import REF_PARTS, quoted_path
from shared.kit.config.public_hosts import AZURE, VISUAL_STUDIO
from shared.kit.git.host_dialects import (
    DIALECTS,
    AddressParts,
    EncodedPlace,
    LinkKind,
    folds_case,
)

#: The longest path that is passed to git: systems have no longer ones.
GIT_PATH_BYTES = 4096
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class NotInRepository(Forbidden):
    """The address belongs to a Git host but not to a file or folder of a repository."""


@dataclass(frozen=True, slots=True)
class GitTarget:
    """A file or folder in a repository: host, repository, ref ("" = default), path.

    `is_open` says that the address does not show where the ref ends and the path
    begins, since a branch may have slashes in its name. `ref` is then the first
    segment, and `with_ref` decides.
    """

    kind: str
    host: str
    repository: str
    ref: str
    path: str
    is_open: bool = field(default=False, compare=False)

    @property
    def attributes(self) -> dict[str, str]:
        """The repository, as the attributes of a span name it."""
        return {
            "server.address": self.host,
            "vcs.provider.name": self.kind,
            "vcs.repository.name": self.repository,
        }

    @property
    def folds_case(self) -> bool:
        """Whether other spellings of the repository's name mean it too."""
        return folds_case(self.kind)

    @property
    def clone_url(self) -> str:
        """The address that `git` fetches the repository from."""
        path = DIALECTS[self.kind].clone_path(self.repository)
        return f"https://{self.host}/{quote(path, safe='/~')}"

    def at(self, path: str) -> "GitTarget":
        """Another path in the same repository and ref."""
        return replace(self, path=path.strip("/"))

    def readings(self) -> Iterator[tuple[str, str]]:
        """Each possible ref and path of the address, the longest ref first."""
        if self.is_open:
            parts = f"{self.ref}/{self.path}".split("/")
            for count in range(min(len(parts), REF_PARTS), 0, -1):
                yield "/".join(parts[:count]), "/".join(parts[count:])
        else:
            yield self.ref, self.path

    def with_ref(self, ref: str) -> "GitTarget":
        """The target with the reading whose ref is `ref`."""
        for candidate, path in self.readings():
            if candidate == ref:
                return replace(self, ref=ref, path=path, is_open=False)
        return self

    def url(self, kind: LinkKind = "blob") -> str:
        """The web page of the file or folder on its host."""
        return self._url(kind, quote(self.path, safe="/*"))

    @property
    def folder_url(self) -> str:
        """The web page of the folder, to which other paths are relative.

        Its path ends with a slash, also where the ref follows it as an argument.
        """
        path = quote(self.path, safe="/*")
        return self._url("tree", f"{path}/" if path else "")

    def _url(self, kind: LinkKind, path: str) -> str:
        place = EncodedPlace(
            quote(self.repository, safe="/~@+"),
            # In an open address, slashes of the path stay: they may belong to the ref.
            quote(self.ref, safe=""),
            path,
        )
        return f"https://{self.host}/{DIALECTS[self.kind].write(place, kind)}"

    @property
    def repository_url(self) -> str:
        """The web page of the repository."""
        path = DIALECTS[self.kind].page_path(self.repository)
        return f"https://{self.host}/{quote(path, safe='/~@+')}"


def parse_url(url: str, hosts: Mapping[str, str]) -> GitTarget | None:
    """Parse a web address; None if its host is none of `hosts` (host -> kind).

    Raises:
        NotInRepository: if it is no file or folder of a repository of its host.
        Invalid: if it leads outside the repository.
    """
    if not is_web_address(url):
        return None
    try:
        address = parse_address(url, users=True)
    except Invalid:
        # The HTTP reader reports what is wrong with it.
        return None
    host, prefix = address.netloc, ""
    if host not in hosts and host.endswith(VISUAL_STUDIO) and AZURE in hosts:
        # `NAME.visualstudio.com` is the older address of `dev.azure.com/NAME`.
        host, prefix = AZURE, f"{host.removesuffix(VISUAL_STUDIO)}/"
    kind = hosts.get(host)
    if kind is None:
        return None
    dialect = DIALECTS[kind]
    parts = AddressParts.of(prefix + address.written_path.strip("/"), address.query)
    place = dialect.read(parts)
    if place is None or not is_repository_name(place.repository):
        raise NotInRepository(
            f"{url} is no file or folder of a repository at {host}: such an address "
            f"reads https://{host}/{dialect.example}. Other pages of the host are not "
            "allowed to be read: see 'backend.reading.allow'"
        )
    if ".." in place.path.split("/"):
        raise Invalid(f"url: {url} leads outside the repository")
    check_git_path(place.path)
    return GitTarget(
        kind, host, place.repository, place.ref, place.path, is_open=place.is_open
    )


def check_git_path(path: str) -> None:
    """Check a path before it is passed to git.

    Git reads one path a line and strips a carriage return at the end, so it would look
    up another file.

    Raises:
        Invalid: if it holds a control character, is no text, or is too long for a file.
    """
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise Invalid(f"path: {quoted_path(path)} is no UTF-8 text") from None
    if length > GIT_PATH_BYTES:
        raise Invalid(
            f"path: {quoted_path(path)}: over the limit of {GIT_PATH_BYTES} bytes"
        )
    if _CONTROL.search(path):
        raise Invalid(f"path: {quoted_path(path)} must not hold control characters")


def clean_path(path: str) -> str:
    """A path as git has it: without empty and `.` parts.

    Raises:
        Invalid: if it leads outside the repository, or is no path for git.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Invalid(f"path: {path!r} leads outside the repository")
    check_git_path(path)
    return "/".join(parts)


def is_absolute(address: str) -> bool:
    """Whether an address is absolute."""
    return _ABSOLUTE.match(address) is not None


def resolve(base: str, target: GitTarget | None, relative: str) -> str:
    """Resolve `relative` against the file at `base`; `target` is the same file in Git.

    In a repository, `#` and `?` are part of names, a leading `/` is the repository's
    root folder, and the ref stays.
    """
    if target is None or is_absolute(relative):
        return join_address(base, relative)
    if target.kind == "azure" or relative.startswith("/"):
        end = "/" if target.path and is_folder(base, target) else ""
        path = join_address(f"/{quote(target.path)}{end}", _quoted(relative))
        return target.at(unquote(path)).url()
    parts = split_address(base)
    path = join_address(parts.path, _quoted(relative))
    query = parts.query if "=" in parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def is_folder(address: str, target: GitTarget) -> bool:
    """Whether the address of a target is a folder's: its path ends with a slash."""
    parts = split_address(address)
    path = parts.path
    if target.kind == "azure":
        path = parse_qs(parts.query).get("path", ["/"])[0]
    return path.endswith("/")


def _quoted(relative: str) -> str:
    """A path escaped for an address; existing escapes stay."""
    return quote(_NO_ESCAPE.sub("%25", relative), safe="/%:@!$&'()*+,;=~")


def is_repository_name(repository: str) -> bool:
    """Whether a name is valid for a repository: each part can be a folder's name."""
    names = repository.split("/")
    if any(name.endswith(".git") for name in names[:-1]):
        # The mirror of the repository `a.git` would contain that of `a.git/b`.
        return False
    return all(
        name not in ("", ".", "..")
        and not name.startswith("-")
        and name.isprintable()
        and "\\" not in name
        and len(name.encode()) <= 200
        for name in names
    )
