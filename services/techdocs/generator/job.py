"""A job for the generating process, as a JSON file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

#: Part of every site's hash: raise it when the same sources give other pages.
GENERATOR_VERSION = "6"
REFUSED = 2
#: The exit status of a build that had no room on the disk.
NO_ROOM = 3
REFUSED_FILE = "refused.txt"
SITE_FILE = "site.json"
SECTIONS_FILE = "sections.json"
PAGES_FOLDER = "pages"
#: The file with the name of the page that a build is at.
PAGE_FILE = "page.txt"


@dataclass(frozen=True, slots=True)
class Job:
    """One site to build.

    `source` has the prepared files and may be written to, `out` gets the public files,
    `record` the summaries for the service. `config` is the name of the
    site's configuration, None to make one with `title`; `readme` the README that stands
    in for a first page. `edit_link` and `source_link` are addresses in the repository
    with `{path}` in them, `folder` is where in it the docs are. `plugins` are allowed
    beside the usual ones. `etag` goes into `techdocs_metadata.json`. Limits in
    seconds, bytes and pages.
    """

    source: str
    out: str
    record: str
    title: str
    config: str | None = None
    repository_url: str | None = None
    edit_link: str | None = None
    source_link: str | None = None
    folder: str = ""
    readme: str | None = None
    plugins: tuple[str, ...] = ()
    etag: str | None = None
    cpu_seconds: int = 60
    memory_bytes: int = 1024 * 1024 * 1024
    file_bytes: int = 100 * 1024 * 1024
    output_bytes: int = 500 * 1024 * 1024
    pages: int = 5000

    def write(self, path: Path) -> None:
        """Keep the job as a file."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The job in a file that `write` made."""
        return cls(**json.loads(path.read_text()))
