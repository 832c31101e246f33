"""How each kind of Git host writes the address of a file or folder.

Tags and commits stand in a ref as Git names them (`refs/tags/v1`, 40 digits): hosts
that write them in a way of their own get that way back.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, unquote

LinkKind = Literal["blob", "tree", "edit"]
TAGS, BRANCHES = "refs/tags/", "refs/heads/"
DEFAULT = "HEAD"
_WORDS = frozenset({"blob", "tree", "raw", "edit", "blame"})
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class AddressParts:
    """The parts of an address' path as they are written, and its arguments."""

    raw: Sequence[str]
    names: Sequence[str]
    query: Mapping[str, str]

    @classmethod
    def of(cls, path: str, query: str) -> "AddressParts":
        """The parts of a path, and the arguments of a query.

        A query that holds no `=` is no query but a `?` in a path: a pattern.
        """
        if query and "=" not in query:
            path, query = f"{path}%3F{query}", ""
        raw = [part for part in path.split("/") if part]
        arguments = {name: values[0] for name, values in parse_qs(query).items()}
        return cls(raw, [unquote(part) for part in raw], arguments)

    def path(self, start: int) -> str:
        """The path that begins with a part; `..` in front of it leads out of it."""
        return clean_path("/".join(self.names[start:]))


@dataclass(frozen=True, slots=True)
class PlaceParts:
    """What an address says; `is_open`: the ref may be longer than its first part."""

    repository: str
    ref: str = ""
    path: str = ""
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class AddressedPlace:
    """A place's repository, ref and path as they stand in an address."""

    repository: str
    ref: str
    path: str


@dataclass(frozen=True, slots=True)
class HostDialect:
    """One kind of host; `example` is what an address looks like after the host."""

    example: str
    read: Callable[[AddressParts], PlaceParts | None]
    write: Callable[[AddressedPlace, LinkKind], str]
    clone_path: Callable[[str], str] = "{}.git".format
    page_path: Callable[[str], str] = "{}".format


def clean_path(path: str) -> str:
    """A path without empty names, `.` and `..`, but for those that lead out of it."""
    names: list[str] = []
    for name in path.split("/"):
        if name == ".." and names and names[-1] != "..":
            names.pop()
        elif name not in ("", "."):
            names.append(name)
    return "/".join(names)


def _repository(names: Sequence[str]) -> str:
    if any("/" in name for name in names):
        return ""
    last = names[-1].removesuffix(".git") or names[-1]
    return "/".join([*names[:-1], last])


def _below(parts: AddressParts, repository: str, at: int) -> PlaceParts | None:
    """A place whose ref is the part at `at`, and whose path is what follows."""
    if len(parts.names) <= at:
        return None
    ref, path = parts.names[at], parts.path(at + 1)
    # Refs of one part, whose end is known, and those in which the slash is escaped.
    is_closed = ref == DEFAULT or "/" in ref or _COMMIT.fullmatch(ref) is not None
    ref = "" if ref == DEFAULT else ref.removeprefix(BRANCHES)
    return PlaceParts(repository, ref, path, is_open=bool(path) and not is_closed)


def _read_marked(count: int, parts: AddressParts) -> PlaceParts | None:
    """`OWNER/NAME/blob/REF/PATH`, with `count` parts in a repository's name."""
    if len(parts.names) < count:
        return None
    repository = _repository(parts.names[:count])
    if len(parts.names) == count:
        return PlaceParts(repository)
    if parts.raw[count] not in _WORDS:
        return None
    return _below(parts, repository, count + 1)


def _write_marked(place: AddressedPlace, kind: LinkKind) -> str:
    return f"{place.repository}/{kind}/{place.ref or DEFAULT}/{place.path}"


def _read_github(parts: AddressParts) -> PlaceParts | None:
    return _read_marked(2, parts)


def _read_local(parts: AddressParts) -> PlaceParts | None:
    return _read_marked(1, parts)


def _read_gitlab(parts: AddressParts) -> PlaceParts | None:
    """Groups in groups; since GitLab 12 a `-` ends the repository's name."""
    raw = list(parts.raw)
    if "-" in raw[2:]:
        at = raw.index("-", 2)
        word = at + 1
    else:
        at = word = next((n for n in range(2, len(raw)) if raw[n] in _WORDS), len(raw))
    if at < 2:
        return None
    repository = _repository(parts.names[:at])
    if word >= len(raw):
        return PlaceParts(repository)
    return _below(parts, repository, word + 1) if raw[word] in _WORDS else None


def _write_gitlab(place: AddressedPlace, kind: LinkKind) -> str:
    return f"{place.repository}/-/{kind}/{place.ref or DEFAULT}/{place.path}"


def _read_gitea(parts: AddressParts) -> PlaceParts | None:
    if len(parts.names) < 2:
        return None
    repository = _repository(parts.names[:2])
    if len(parts.names) == 2:
        return PlaceParts(repository)
    word, what = parts.raw[2], parts.raw[3] if len(parts.raw) > 3 else ""
    if word not in ("src", "raw", "media", "_edit"):
        return None
    if word == "_edit" or what not in ("branch", "tag", "commit"):
        return _below(parts, repository, 3)
    place = _below(parts, repository, 4)
    if place is None or what != "tag":
        return place
    return PlaceParts(repository, TAGS + place.ref, place.path, is_open=place.is_open)


def _write_gitea(place: AddressedPlace, kind: LinkKind) -> str:
    tag = unquote(place.ref)
    if tag.startswith(TAGS):
        where = f"tag/{place.ref.removeprefix('refs%2Ftags%2F')}"
    elif _COMMIT.fullmatch(tag):
        where = f"commit/{place.ref}"
    elif kind == "edit":
        return f"{place.repository}/_edit/{place.ref or DEFAULT}/{place.path}"
    else:
        where = f"branch/{place.ref or DEFAULT}"
    return f"{place.repository}/src/{where}/{place.path}"


def _read_bitbucket_cloud(parts: AddressParts) -> PlaceParts | None:
    if len(parts.names) < 2:
        return None
    repository = _repository(parts.names[:2])
    if len(parts.names) == 2:
        return PlaceParts(repository)
    if parts.raw[2] not in ("src", "raw", "annotate"):
        return None
    if "at" in parts.query:
        # The page of a branch has the commit in its path, and the branch beside it.
        return PlaceParts(repository, _named(parts.query["at"]), parts.path(4))
    return _below(parts, repository, 3)


def _write_bitbucket_cloud(place: AddressedPlace, _: LinkKind) -> str:
    return f"{place.repository}/src/{place.ref or DEFAULT}/{place.path}"


def _read_bitbucket_server(parts: AddressParts) -> PlaceParts | None:
    names = list(parts.names)
    if len(names) == 3 and names[0] == "scm":
        key = names[1] if names[1].startswith("~") else names[1].upper()
        slug = names[2].removesuffix(".git")
        return PlaceParts(_repository([key, "repos", slug]))
    if len(names) < 4 or names[0] not in ("projects", "users") or names[2] != "repos":
        return None
    key = f"~{names[1]}" if names[0] == "users" else names[1]
    repository = _repository([key, "repos", names[3]])
    if len(names) > 4 and names[4] not in ("browse", "raw"):
        return None
    ref = _named(parts.query.get("at", ""))
    return PlaceParts(repository, ref, parts.path(5))


def _write_bitbucket_server(place: AddressedPlace, _: LinkKind) -> str:
    at = f"?at={place.ref}" if place.ref else ""
    return f"projects/{place.repository}/browse/{place.path}{at}"


def _clone_bitbucket_server(repository: str) -> str:
    project, _, name = repository.partition("/repos/")
    return f"scm/{project.lower()}/{name}.git"


_VERSIONS = {"GB": "", "GT": TAGS, "GC": ""}


def _read_azure(parts: AddressParts) -> PlaceParts | None:
    """`ORGANISATION/PROJECT/_git/NAME`; a project's own repository leaves it out."""
    names = list(parts.names)
    if "_git" not in names or len(names) != names.index("_git") + 2:
        return None
    version = parts.query.get("version", "")
    prefix = _VERSIONS.get(version[:2])
    ref = version if prefix is None else prefix + version[2:]
    return PlaceParts(_repository(names), ref, clean_path(parts.query.get("path", "")))


def _write_azure(place: AddressedPlace, _: LinkKind) -> str:
    ref = unquote(place.ref)
    if ref.startswith(TAGS):
        version = f"&version=GT{place.ref.removeprefix('refs%2Ftags%2F')}"
    elif _COMMIT.fullmatch(ref):
        version = f"&version=GC{place.ref}"
    else:
        version = f"&version=GB{place.ref}" if ref else ""
    return f"{place.repository}?path=/{place.path}{version}"


def _named(ref: str) -> str:
    """A branch by its name, anything else as Git names it."""
    return "" if ref == DEFAULT else ref.removeprefix(BRANCHES)


DIALECTS: Mapping[str, HostDialect] = {
    "github": HostDialect("OWNER/NAME/blob/BRANCH/PATH", _read_github, _write_marked),
    "gitlab": HostDialect("GROUP/NAME/-/blob/BRANCH/PATH", _read_gitlab, _write_gitlab),
    "gitea": HostDialect(
        "OWNER/NAME/src/branch/BRANCH/PATH", _read_gitea, _write_gitea
    ),
    "bitbucket_cloud": HostDialect(
        "WORKSPACE/NAME/src/BRANCH/PATH", _read_bitbucket_cloud, _write_bitbucket_cloud
    ),
    "bitbucket_server": HostDialect(
        "projects/KEY/repos/NAME/browse/PATH?at=BRANCH",
        _read_bitbucket_server,
        _write_bitbucket_server,
        _clone_bitbucket_server,
        "projects/{}".format,
    ),
    "azure": HostDialect(
        "ORGANISATION/PROJECT/_git/NAME?path=/PATH&version=GBBRANCH",
        _read_azure,
        _write_azure,
        "{}".format,
    ),
    "local": HostDialect("NAME/blob/BRANCH/PATH", _read_local, _write_marked),
}
