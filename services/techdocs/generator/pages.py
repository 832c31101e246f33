"""What pages are called, without mkdocs: `guide/` is `guide`, the first page is ``.

A key is decoded: `C%23/` in an address is the page `C#`. Whoever makes an address of a
key encodes it once.
"""

from hashlib import blake2b
from urllib.parse import unquote


def page_key(path: str) -> str:
    """A page's decoded path without what only a file server needs."""
    folder, _, name = path.rpartition("/")
    key = (folder if name == "index.html" else path).strip("/")
    return "" if key == "." else key


def key_of_url(url: str) -> str:
    """The key of a page whose encoded address within its site is `url`."""
    return page_key(unquote(url))


def page_file(key: str) -> str:
    """Where a page's article is kept: paths are the writers', file names are ours."""
    return blake2b(key.encode(), digest_size=12).hexdigest() + ".json"
