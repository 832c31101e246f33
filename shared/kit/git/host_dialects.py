"""The address formats of each kind of Git host.

A ref holds tags and commits in Git's form (`refs/tags/v1`, 40 digits); they are
converted from and to the form of each host.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, unquote

LinkKind = Literal["blob", "tree", "edit"]
TAGS, BRANCHES = "refs/tags/", "refs/heads/"
DEFAULT_REF = "HEAD"
_KEYWORDS = frozenset({"blob", "tree", "raw", "edit", "blame"})
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class AddressParts:
    """The segments of an address' path, raw and decoded, and the query's arguments."""

    raw: Sequence[str]
    names: Sequence[str]
    query: Mapping[str, str]

    @classmethod
    def of(cls, path: str, query: str) -> "AddressParts":
        """Split a path and a query.

        A query without `=` belongs to the path: it is a pattern with `?`.
        """
        if query and "=" not in query:
            path, query = f"{path}%3F{query}", ""
        raw = [part for part in path.split("/") if part]
        arguments = {name: values[0] for name, values in parse_qs(query).items()}
        return cls(raw, [unquote(part) for part in raw], arguments)

    def path(self, start: int) -> str:
        """The path from the segment `start` on; it may begin with `..`."""
        return clean_path("/".join(self.names[start:]))


@dataclass(frozen=True, slots=True)
class DecodedPlace:
    """A parsed address; with `is_open` the ref may be longer than one segment."""

    repository: str
    ref: str = ""
    path: str = ""
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class EncodedPlace:
    """Repository, ref and path, percent-encoded for an address."""

    repository: str
    ref: str
    path: str


@dataclass(frozen=True, slots=True)
class HostDialect:
    """The format of one kind of host; `example` is an address without its host.

    `folds_case`: to the host `Acme/Shop` and `acme/shop` are one repository.
    """

    example: str
    read: Callable[[AddressParts], DecodedPlace | None]
    write: Callable[[EncodedPlace, LinkKind], str]
    clone_path: Callable[[str], str] = "{}.git".format
    page_path: Callable[[str], str] = "{}".format
    folds_case: bool = True


def clean_path(path: str) -> str:
    """A path without empty names, `.` and inner `..`; leading `..` stay."""
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


def _place_from_ref(
    parts: AddressParts, repository: str, ref_index: int
) -> DecodedPlace | None:
    """The place with the ref at `ref_index`, and the following segments as path."""
    if len(parts.names) <= ref_index:
        return None
    ref, path = parts.names[ref_index], parts.path(ref_index + 1)
    # The ref ends here if it is the default, a commit, or has an escaped slash.
    is_closed = ref == DEFAULT_REF or "/" in ref or _COMMIT.fullmatch(ref) is not None
    ref = "" if ref == DEFAULT_REF else ref.removeprefix(BRANCHES)
    return DecodedPlace(repository, ref, path, is_open=bool(path) and not is_closed)


def _read_with_keyword(count: int, parts: AddressParts) -> DecodedPlace | None:
    """Read `OWNER/NAME/blob/REF/PATH`, with `count` segments in the repository name."""
    if len(parts.names) < count:
        return None
    repository = _repository(parts.names[:count])
    if len(parts.names) == count:
        return DecodedPlace(repository)
    if parts.raw[count] not in _KEYWORDS:
        return None
    return _place_from_ref(parts, repository, count + 1)


def _write_with_keyword(place: EncodedPlace, kind: LinkKind) -> str:
    return f"{place.repository}/{kind}/{place.ref or DEFAULT_REF}/{place.path}"


def _read_github(parts: AddressParts) -> DecodedPlace | None:
    return _read_with_keyword(2, parts)


def _read_local(parts: AddressParts) -> DecodedPlace | None:
    return _read_with_keyword(1, parts)


def _read_gitlab(parts: AddressParts) -> DecodedPlace | None:
    """Read nested groups; since GitLab 12 a `-` ends the repository's name."""
    raw = list(parts.raw)
    if "-" in raw[2:]:
        name_end = raw.index("-", 2)
        keyword_index = name_end + 1
    else:
        name_end = keyword_index = next(
            (index for index in range(2, len(raw)) if raw[index] in _KEYWORDS), len(raw)
        )
    if name_end < 2:
        return None
    repository = _repository(parts.names[:name_end])
    if keyword_index >= len(raw):
        return DecodedPlace(repository)
    return (
        _place_from_ref(parts, repository, keyword_index + 1)
        if raw[keyword_index] in _KEYWORDS
        else None
    )


def _write_gitlab(place: EncodedPlace, kind: LinkKind) -> str:
    return f"{place.repository}/-/{kind}/{place.ref or DEFAULT_REF}/{place.path}"


def _read_gitea(parts: AddressParts) -> DecodedPlace | None:
    if len(parts.names) < 2:
        return None
    repository = _repository(parts.names[:2])
    if len(parts.names) == 2:
        return DecodedPlace(repository)
    keyword, ref_type = parts.raw[2], parts.raw[3] if len(parts.raw) > 3 else ""
    if keyword not in ("src", "raw", "media", "_edit"):
        return None
    if keyword == "_edit" or ref_type not in ("branch", "tag", "commit"):
        return _place_from_ref(parts, repository, 3)
    place = _place_from_ref(parts, repository, 4)
    if place is None or ref_type != "tag":
        return place
    return DecodedPlace(repository, TAGS + place.ref, place.path, is_open=place.is_open)


def _write_gitea(place: EncodedPlace, kind: LinkKind) -> str:
    ref = unquote(place.ref)
    if ref.startswith(TAGS):
        ref_path = f"tag/{place.ref.removeprefix('refs%2Ftags%2F')}"
    elif _COMMIT.fullmatch(ref):
        ref_path = f"commit/{place.ref}"
    elif kind == "edit":
        return f"{place.repository}/_edit/{place.ref or DEFAULT_REF}/{place.path}"
    else:
        ref_path = f"branch/{place.ref or DEFAULT_REF}"
    return f"{place.repository}/src/{ref_path}/{place.path}"


def _read_bitbucket_cloud(parts: AddressParts) -> DecodedPlace | None:
    if len(parts.names) < 2:
        return None
    repository = _repository(parts.names[:2])
    if len(parts.names) == 2:
        return DecodedPlace(repository)
    if parts.raw[2] not in ("src", "raw", "annotate"):
        return None
    if "at" in parts.query:
        # A branch's page has the commit in its path and the branch in the query.
        return DecodedPlace(repository, _branch_name(parts.query["at"]), parts.path(4))
    return _place_from_ref(parts, repository, 3)


def _write_bitbucket_cloud(place: EncodedPlace, _: LinkKind) -> str:
    return f"{place.repository}/src/{place.ref or DEFAULT_REF}/{place.path}"


def _read_bitbucket_server(parts: AddressParts) -> DecodedPlace | None:
    names = list(parts.names)
    if len(names) == 3 and names[0] == "scm":
        key = names[1] if names[1].startswith("~") else names[1].upper()
        slug = names[2].removesuffix(".git")
        return DecodedPlace(_repository([key, "repos", slug]))
    if len(names) < 4 or names[0] not in ("projects", "users") or names[2] != "repos":
        return None
    key = f"~{names[1]}" if names[0] == "users" else names[1]
    repository = _repository([key, "repos", names[3]])
    if len(names) > 4 and names[4] not in ("browse", "raw"):
        return None
    ref = _branch_name(parts.query.get("at", ""))
    return DecodedPlace(repository, ref, parts.path(5))


def _write_bitbucket_server(place: EncodedPlace, _: LinkKind) -> str:
    query = f"?at={place.ref}" if place.ref else ""
    return f"projects/{place.repository}/browse/{place.path}{query}"


def _clone_bitbucket_server(repository: str) -> str:
    project, _, name = repository.partition("/repos/")
    return f"scm/{project.lower()}/{name}.git"


_AZURE_VERSION_TYPES = {"GB": "", "GT": TAGS, "GC": ""}


def _read_azure(parts: AddressParts) -> DecodedPlace | None:
    """Read `ORGANISATION/PROJECT/_git/NAME`; PROJECT may be left out if it is NAME."""
    names = list(parts.names)
    if "_git" not in names or len(names) != names.index("_git") + 2:
        return None
    version = parts.query.get("version", "")
    prefix = _AZURE_VERSION_TYPES.get(version[:2])
    ref = version if prefix is None else prefix + version[2:]
    return DecodedPlace(
        _repository(names), ref, clean_path(parts.query.get("path", ""))
    )


def _write_azure(place: EncodedPlace, _: LinkKind) -> str:
    ref = unquote(place.ref)
    if ref.startswith(TAGS):
        version = f"&version=GT{place.ref.removeprefix('refs%2Ftags%2F')}"
    elif _COMMIT.fullmatch(ref):
        version = f"&version=GC{place.ref}"
    else:
        version = f"&version=GB{place.ref}" if ref else ""
    return f"{place.repository}?path=/{place.path}{version}"


def _branch_name(ref: str) -> str:
    """The short name of a branch; other refs stay."""
    return "" if ref == DEFAULT_REF else ref.removeprefix(BRANCHES)


DIALECTS: Mapping[str, HostDialect] = {
    "github": HostDialect(
        "OWNER/NAME/blob/BRANCH/PATH", _read_github, _write_with_keyword
    ),
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
    "local": HostDialect(
        "NAME/blob/BRANCH/PATH", _read_local, _write_with_keyword, folds_case=False
    ),
}


def folds_case(kind: str | None) -> bool:
    """Whether a kind of host has one repository under all spellings of its name.

    A host of unknown kind may have two repositories whose names differ by case alone:
    to take one for the other would give its rights away.
    """
    dialect = DIALECTS.get(kind or "")
    return dialect is not None and dialect.folds_case
