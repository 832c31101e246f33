"""What the generating process is told, as a JSON file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

#: Part of every site's hash: raise it when the same sources give other pages.
GENERATOR_VERSION = "1"
REFUSED = 2
#: The exit status of a build that had no room on the disk.
NO_ROOM = 3
REFUSED_FILE = "refused.txt"
SITE_FILE = "site.json"
SECTIONS_FILE = "sections.json"
PAGES_FOLDER = "pages"


@dataclass(frozen=True, slots=True)
class Job:
    """One site to build.

    `source` holds the prepared files and may be written to, `out` gets the public
    files, `record` what Callboard keeps about them. `config` is the name of the
    site's configuration, None to make one with `title`. `edit_base` is the address
    under which the pages' sources are edited, ending with a slash. `etag` is told in
    `techdocs_metadata.json`. Limits in seconds and bytes.
    """

    source: str
    out: str
    record: str
    title: str
    config: str | None = None
    repository_url: str | None = None
    edit_base: str | None = None
    etag: str | None = None
    cpu_seconds: int = 60
    memory_bytes: int = 1024 * 1024 * 1024
    file_bytes: int = 100 * 1024 * 1024

    def write(self, path: Path) -> None:
        """Keep the job as a file."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The job in a file that `write` made."""
        return cls(**json.loads(path.read_text()))
