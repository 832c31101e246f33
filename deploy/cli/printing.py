"""Where commands print to: what others wrote is never markup, pipes are not wrapped."""

import shlex
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

#: Characters of a line where nobody looks at a screen.
UNWRAPPED = 10_000
DEFAULT_DATA = Path(".callboard")


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the screen, or as the longest line where there is none."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else UNWRAPPED)


def command_line(word: str, data: Path) -> str:
    """A command as one types it here: this program, for the same data folder."""
    program = sys.argv[0] if Path(sys.argv[0]).name == "callboard" else "callboard"
    where = [] if data == DEFAULT_DATA else ["--data", str(data)]
    return shlex.join([program, word, *where])


def plain(value: object) -> str:
    """A text that is printed as it is: its brackets are no markup."""
    return escape(str(value))
