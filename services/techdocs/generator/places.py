"""Resolves links between a repository and the site that is built from it.

Authors write links for the repository, and readers follow them in the site: a link of
the README to `docs/adr.md` means the page `adr.md`, one to `LICENSE` the file in the
repository.
"""

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlunsplit

from shared.contracts.errors import Invalid
from shared.guards.addresses import split_address

#: Where pictures beside the pages that the README shows are put, below the pages.
README_FILES = "_readme"
README_PICTURES = 50
#: The page that a folder means.
FIRST_PAGES = ("index.md", "README.md")
SAFE_IN_LINKS = "/%:@!$&'()*+,;=~?#"
_PICTURE = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".avif")
_BETWEEN_LINKS = re.compile(r"[\s()<>\"'\[\]]+")


@dataclass(slots=True)
class Places:
    """The folders of a site; paths are relative to the place that the docs are of.

    `roots` are folders of pages, each with the path that its pages have in the site;
    `readme` is the name of the README that is the first page; the links are addresses
    in the repository with `{path}` in them; `folder` is the place in the repository.
    """

    roots: Sequence[tuple[str, str]]
    readme: str | None = None
    folder: str = ""
    edit_link: str | None = None
    source_link: str | None = None
    own_edit_links: Sequence[str] = field(default=())

    def edit_url(self, path: str) -> str | None:
        """The address to edit a source; None if its own configuration has one."""
        if self.edit_link is None or self._is_below(path, self.own_edit_links):
            return None
        return self._filled(self.edit_link, path)

    def target(
        self, link: str, *, page: str, source: str, has: Callable[[str], bool]
    ) -> str:
        """The link as the page `page`, written in `source`, must have it in the site.

        `has` says whether the site has a file.
        """
        try:
            parts = split_address(link)
        except Invalid:
            # mkdocs parses every link: escaped, it is a link that leads nowhere.
            return quote(link, safe=SAFE_IN_LINKS)
        path = unquote(parts.path)
        is_readme = source == self.readme
        if parts.scheme or parts.netloc or not path:
            return link
        if not is_readme and (
            path.startswith("/") or has(_joined(posixpath.dirname(page), path))
        ):
            return link
        below = _joined(posixpath.dirname(source), path.lstrip("/"))
        page_uri = next((uri for uri in self._in_site(below) if has(uri)), None)
        if page_uri is not None:
            way = posixpath.relpath(page_uri, posixpath.dirname(page) or ".")
            return urlunsplit(("", "", quote(way), parts.query, parts.fragment))
        # A missing page of this site is a broken link, not a file of the repository.
        inside = self._is_below(below, [folder for folder, _ in self.roots])
        outside = None if inside and not is_readme else self._source_url(below)
        fragment = f"#{parts.fragment}" if parts.fragment else ""
        return link if outside is None else outside + fragment

    def _source_url(self, path: str) -> str | None:
        return self._filled(self.source_link, path) if self.source_link else None

    def _in_site(self, path: str) -> list[str]:
        """The possible names of a file in the site, the likeliest first."""
        uris = ["index.md"] if path == self.readme else []
        for folder, alias in self.roots:
            prefix = "" if folder in ("", ".") else f"{folder}/"
            if f"{path}/".startswith(prefix):
                uri = posixpath.join(alias, path[len(prefix) :])
                uris += [uri, *(posixpath.join(uri, name) for name in FIRST_PAGES)]
        return [*uris, posixpath.join(README_FILES, path)]

    def _filled(self, link: str, path: str) -> str | None:
        whole = _joined(self.folder, path)
        if whole == ".." or whole.startswith(("../", "/")):
            return None
        return link.replace("{path}", quote("" if whole == "." else whole))

    @staticmethod
    def _is_below(path: str, folders: Sequence[str]) -> bool:
        return any(
            folder in ("", ".") or path.startswith(f"{folder}/") for folder in folders
        )


def pictures_of(readme: str) -> list[str]:
    """The paths of pictures in the repository that a README may show."""
    paths: dict[str, None] = {}
    for word in _BETWEEN_LINKS.split(readme):
        path = unquote(word.partition("#")[0].partition("?")[0]).lstrip("/")
        if not path.lower().endswith(_PICTURE) or "://" in path or "\0" in path:
            continue
        normal = posixpath.normpath(path)
        if not normal.startswith(".."):
            paths[normal] = None
        if len(paths) == README_PICTURES:
            break
    return list(paths)


def _joined(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))
