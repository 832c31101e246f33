"""Pages that authors wrote as HTML: their articles, cleaned as those of Markdown are.

What is over the limits stays a file, which readers get as text.
"""

import re
from collections.abc import Iterable, Iterator
from html import unescape
from pathlib import Path

from mkdocs.structure.files import File

from services.techdocs.generator.article import (
    TITLE_CHARACTERS,
    FinishedArticle,
    finished,
)
from services.techdocs.generator.cleaning import clean

NAMES = (".html", ".htm", ".xhtml")
#: Of all such files of a site together: generated ones come by the thousand.
BYTES = 20 * 1024 * 1024
_BODY = re.compile(r"<body\b[^<>]*>", re.IGNORECASE)
_HEAD_END = re.compile(r"</head\s*>", re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^<>]*>([^<]{1,1000})", re.IGNORECASE)


def html_files(files: Iterable[File], most: int) -> Iterator[File]:
    """The first `most` published files, by their paths, that fit into `BYTES`."""
    left = BYTES
    written = (file for file in files if file.src_uri.lower().endswith(NAMES))
    for file in sorted(written, key=lambda file: file.src_uri)[:most]:
        path = Path(file.abs_dest_path)
        size = path.stat().st_size if path.is_file() else None
        if size is not None and size <= left:
            left -= size
            yield file


def html_page(file: File) -> tuple[str, FinishedArticle]:
    """The title and the article of a file. Raises as `finished`."""
    text = Path(file.abs_dest_path).read_text("utf-8", errors="replace")
    title = _TITLE.search(text)
    words = " ".join(unescape(title[1]).split()) if title else ""
    start = _BODY.search(text) or _HEAD_END.search(text)
    article = finished(text[start.end() if start else 0 :], file.src_uri)
    # The names of another style sheet may be names of the portal's own.
    html = clean(article.html, _without_class).strip()
    return words[:TITLE_CHARACTERS] or file.src_uri, article._replace(html=html)


def _without_class(_: str, name: str, value: str) -> str | None:
    return None if name == "class" and value != "drawing" else value
