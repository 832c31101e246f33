"""The files among the pages that the site does not get, and the links to them.

mkdocs keeps dot files and those of `exclude_docs` among its files, makes the address of
a page of each, and tells of a link to one as information. Taken out, they are absent
for links, pictures and the navigation alike, and mkdocs warns of each.
"""

import posixpath
from collections.abc import Collection, Sequence
from urllib.parse import unquote

from mkdocs.structure.files import Files

from shared.contracts.errors import Invalid
from shared.guards.addresses import split_address


class UnpublishedFiles:
    """The files that were taken out, and who links to them."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._links: dict[str, dict[str, None]] = {}

    def take_out(self, files: Files) -> None:
        """Remove the files from those of mkdocs that it leaves out of the site."""
        for file in list(files):
            if file.inclusion.is_included():  # type: ignore[no-untyped-call]
                continue
            files.remove(file)
            for name in (file.url.rstrip("/"), file.dest_uri, file.src_uri):
                self._names[name] = file.src_uri

    def note(self, page: str, uris: Collection[str]) -> None:
        """Note the first of some files that is unpublished: `page` links to it."""
        name = next(filter(None, map(self._names.get, uris)), None)
        if name is not None:
            self._links.setdefault(name, {})[page] = None

    def note_address(self, page: str, url: str, link: str) -> None:
        """Note a link of raw HTML, which browsers resolve against the page's address.

        `url` is that of the page within the site, `page` its source.
        """
        try:
            parts = split_address(link)
        except Invalid:
            return
        if not (parts.scheme or parts.netloc) and parts.path[:1] not in ("", "/"):
            folder = posixpath.dirname(unquote(url))
            path = posixpath.normpath(posixpath.join(folder, unquote(parts.path)))
            self.note(page, [path])

    def links(self) -> Sequence[tuple[str, Collection[str]]]:
        """The unpublished files that are linked to, each with the pages that do."""
        return sorted(self._links.items())
