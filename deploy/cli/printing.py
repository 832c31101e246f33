"""Where commands print to: what others wrote is never markup, pipes are not wrapped."""

import sys

from rich.console import Console
from rich.markup import escape

#: Characters of a line where nobody looks at a screen.
UNWRAPPED = 10_000


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the screen, or as the longest line where there is none."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else UNWRAPPED)


def plain(value: object) -> str:
    """A text that is printed as it is: its brackets are no markup."""
    return escape(str(value))
