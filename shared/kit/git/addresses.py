"""Places in repositories: from a host's web address, and back to one.

How each kind of host writes addresses is in `gitdialects`. What is read back is equal:
`parse_url(target.url(), hosts) == target`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote, urlunsplit

from shared.contracts.errors import Forbidden, Invalid
from shared.guards.addresses import join_address, parse_address, split_address
from shared.guards.foreign_paths import quoted_path
from shared.kit.git.host_dialects import (
    DIALECTS,
    AddressedPlace,
    AddressParts,
    LinkKind,
)

#: How many folders of a path may belong to a ref's name.
REF_PARTS = 12
AZURE, VISUAL_STUDIO = "dev.azure.com", ".visualstudio.com"
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class NoPlace(Forbidden):
    """An address at a Git host that is no place in a repository."""


@dataclass(frozen=True, slots=True)
class GitTarget:
    """A place in a repository: host, repository, ref ("" = default branch), path.

    `is_open`: the address does not say where the ref ends and the path begins, since a
    branch may have slashes in its name; `ref` is its first part. `with_ref` decides.
    """

    kind: str
    host: str
    repository: str
    ref: str
    path: str
    is_open: bool = field(default=False, compare=False)

    @property
    def clone_url(self) -> str:
        """Where `git` fetches it from."""
        path = DIALECTS[self.kind].clone_path(self.repository)
        return f"https://{self.host}/{quote(path, safe='/~')}"

    def at(self, path: str) -> "GitTarget":
        """Another place in the same repository and ref."""
        return replace(self, path=path.strip("/"))

    def readings(self) -> Iterator[tuple[str, str]]:
        """Each ref and path that the address can mean, the longest ref first."""
        if self.is_open:
            parts = f"{self.ref}/{self.path}".split("/")
            for count in range(min(len(parts), REF_PARTS), 0, -1):
                yield "/".join(parts[:count]), "/".join(parts[count:])
        else:
            yield self.ref, self.path

    def with_ref(self, ref: str) -> "GitTarget":
        """The same place, in which `ref` is one of `readings`."""
        for candidate, path in self.readings():
            if candidate == ref:
                return replace(self, ref=ref, path=path, is_open=False)
        return self

    def url(self, kind: LinkKind = "blob") -> str:
        """The page of this place on its host."""
        written = AddressedPlace(
            quote(self.repository, safe="/~@+"),
            # Slashes of an open address stay: each may be the ref's own.
            quote(self.ref, safe=""),
            quote(self.path, safe="/*"),
        )
        return f"https://{self.host}/{DIALECTS[self.kind].write(written, kind)}"

    @property
    def repository_url(self) -> str:
        """The repository's own page."""
        path = DIALECTS[self.kind].page_path(self.repository)
        return f"https://{self.host}/{quote(path, safe='/~@+')}"


def parse_url(url: str, hosts: Mapping[str, str]) -> GitTarget | None:
    """What `url` means; None if its host is none of `hosts` (host -> kind).

    Raises:
        NoPlace: if the host is known, but the address is no place in a repository.
        Invalid: if it leads outside the repository.
    """
    if not url.lower().startswith(("http://", "https://")):
        return None
    try:
        address = parse_address(url, users=True)
    except Invalid:
        # Whoever reads it by HTTP says what is wrong with it.
        return None
    host, prefix = address.netloc, ""
    if host not in hosts and host.endswith(VISUAL_STUDIO) and AZURE in hosts:
        # The older name of an organisation: its repositories are the same.
        host, prefix = AZURE, f"{host.removesuffix(VISUAL_STUDIO)}/"
    kind = hosts.get(host)
    if kind is None:
        return None
    dialect = DIALECTS[kind]
    parts = AddressParts.of(prefix + address.written_path.strip("/"), address.query)
    place = dialect.read(parts)
    if place is None or not are_names(place.repository):
        raise NoPlace(
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
    """Check a path that git is to look up.

    Git reads one path a line, and takes a carriage return off its end: it would find
    another file than the one that was asked about.

    Raises:
        Invalid: if it holds a control character.
    """
    if _CONTROL.search(path):
        raise Invalid(f"path: {quoted_path(path)} must not hold control characters")


def is_absolute(address: str) -> bool:
    """Whether an address stands by itself, wherever it is written."""
    return _ABSOLUTE.match(address) is not None


def resolve(base: str, target: GitTarget | None, relative: str) -> str:
    """`relative` as seen from the file at `base`, which is `target` if Git has it.

    A path of a repository is no address: `#` and `?` are part of names, `/` in front
    is the repository's top folder, and what says the ref stays.
    """
    if target is None or is_absolute(relative):
        return join_address(base, relative)
    if target.kind == "azure" or relative.startswith("/"):
        path = join_address(f"/{quote(target.path)}", _quoted(relative))
        return target.at(unquote(path)).url()
    parts = split_address(base)
    path = join_address(parts.path, _quoted(relative))
    query = parts.query if "=" in parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _quoted(relative: str) -> str:
    """A path as it stands in an address; escapes in it stay."""
    return quote(_NO_ESCAPE.sub("%25", relative), safe="/%:@!$&'()*+,;=~")


def are_names(repository: str) -> bool:
    """Whether every part of a repository's name can be the name of a folder."""
    names = repository.split("/")
    if any(name.endswith(".git") for name in names[:-1]):
        # The mirror of a repository of that name would lie around this one's.
        return False
    return all(
        name not in ("", ".", "..")
        and not name.startswith("-")
        and name.isprintable()
        and "\\" not in name
        and len(name.encode()) <= 200
        for name in names
    )
