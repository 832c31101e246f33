"""Web addresses of files on Git hosts: to (repository, ref, path), and back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit

LinkKind = Literal["blob", "tree", "edit"]

#: How each kind of host writes the place of a file below the repository's path.
_BELOW = {
    "github": re.compile(
        r"/(?P<repo>[^/]+/[^/]+)(?:/(?:blob|tree|raw|edit)/(?P<ref>[^/]+)/?(?P<path>.*))?"
    ),
    "gitlab": re.compile(
        r"/(?P<repo>.+?)(?:(?:/-)?/(?:blob|tree|raw|edit)/(?P<ref>[^/]+)/?(?P<path>.*))?"
    ),
    "gitea": re.compile(
        r"/(?P<repo>[^/]+/[^/]+)"
        r"(?:/(?:src|raw|_edit)/(?:branch/|tag/|commit/)?(?P<ref>[^/]+)/?(?P<path>.*))?"
    ),
    "bitbucket_cloud": re.compile(
        r"/(?P<repo>[^/]+/[^/]+)(?:/(?:src|raw)/(?P<ref>[^/]+)/?(?P<path>.*))?"
    ),
    "bitbucket_server": re.compile(
        r"/projects/(?P<repo>[^/]+/repos/[^/]+)(?:/(?:browse|raw)/?(?P<path>.*))?"
    ),
    "azure": re.compile(r"/(?P<repo>[^/]+/[^/]+/_git/[^/]+)"),
    "local": re.compile(
        r"/(?P<repo>[^/]+)(?:/(?:blob|tree|raw|edit)/(?P<ref>[^/]+)/?(?P<path>.*))?"
    ),
}


@dataclass(frozen=True, slots=True)
class GitTarget:
    """A place in a repository: host, repository, ref ("" = default branch), path."""

    kind: str
    host: str
    repository: str
    ref: str
    path: str

    @property
    def clone_url(self) -> str:
        """Where `git` fetches it from."""
        if self.kind == "bitbucket_server":
            project, _, name = self.repository.partition("/repos/")
            return f"https://{self.host}/scm/{project.lower()}/{name}.git"
        suffix = "" if self.kind == "azure" else ".git"
        return f"https://{self.host}/{self.repository}{suffix}"

    def at(self, path: str) -> "GitTarget":
        """Another place in the same repository and ref."""
        return replace(self, path=path.strip("/"))

    def url(self, kind: LinkKind = "blob") -> str:
        """The page of this place on its host."""
        root = f"https://{self.host}"
        ref, path = quote(self.ref or "HEAD", safe=""), quote(self.path)
        match self.kind:
            case "gitlab":
                return f"{root}/{self.repository}/-/{kind}/{ref}/{path}"
            case "gitea":
                word = "_edit/" if kind == "edit" else "src/branch/"
                return f"{root}/{self.repository}/{word}{ref}/{path}"
            case "bitbucket_cloud":
                return f"{root}/{self.repository}/src/{ref}/{path}"
            case "bitbucket_server":
                return f"{root}/projects/{self.repository}/browse/{path}?at={ref}"
            case "azure":
                return f"{root}/{self.repository}?path=/{path}&version=GB{ref}"
        return f"{root}/{self.repository}/{kind}/{ref}/{path}"

    @property
    def repository_url(self) -> str:
        """The repository's own page."""
        middle = "projects/" if self.kind == "bitbucket_server" else ""
        return f"https://{self.host}/{middle}{self.repository}"


def parse_url(url: str, hosts: Mapping[str, str]) -> GitTarget | None:
    """What `url` means; None if its host is none of `hosts` (host -> kind)."""
    parts = urlsplit(url)
    kind = hosts.get(parts.netloc.rpartition("@")[2])
    if kind is None or parts.scheme not in ("http", "https"):
        return None
    match = _BELOW[kind].fullmatch(unquote(parts.path).rstrip("/"))
    if match is None:
        return None
    found = match.groupdict()
    ref, path = found.get("ref") or "", found.get("path") or ""
    query = parse_qs(parts.query)
    if kind == "azure":
        path = query.get("path", [""])[0]
        ref = query.get("version", [""])[0].removeprefix("GB")
    if kind == "bitbucket_server":
        ref = query.get("at", [""])[0].removeprefix("refs/heads/")
    repository = found["repo"].removesuffix(".git")
    return GitTarget(
        kind, parts.netloc.rpartition("@")[2], repository, ref, path.strip("/")
    )
