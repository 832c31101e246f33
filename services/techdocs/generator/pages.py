"""What pages are called, without mkdocs: `guide/` is `guide`, the first page is ``."""

from hashlib import blake2b


def page_key(url: str) -> str:
    """A page's path without what only a file server needs."""
    key = url.removesuffix("index.html").strip("/")
    return "" if key == "." else key


def page_file(key: str) -> str:
    """Where a page's article is kept: paths are the writers', file names are ours."""
    return blake2b(key.encode(), digest_size=12).hexdigest() + ".json"
