"""One commit, as `git show` prints it."""

from dataclasses import dataclass
from datetime import datetime

#: The option of `git show` for what `commit_info` reads.
COMMIT_FORMAT = "--format=%H%x00%s%x00%an%x00%ae%x00%aI"


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """One commit: id, first line of the message, author and time."""

    sha: str
    subject: str
    author: str
    email: str
    at: datetime


def commit_info(printed: bytes) -> CommitInfo:
    """The commit that git printed."""
    sha, subject, author, email, at = printed.decode(errors="replace").split("\0")
    return CommitInfo(sha, subject, author, email, datetime.fromisoformat(at.strip()))
