"""Prints for commands: foreign text is never markup, piped output is not wrapped."""

import shlex
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

#: The line width of piped output.
LINE_CHARACTERS = 10_000
DEFAULT_DATA = Path(".callboard")


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the screen, or without wrapping if output is piped."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else LINE_CHARACTERS)


def command_line(command: str, data: Path) -> str:
    """The command line of a command for the same program and data folder."""
    program = sys.argv[0] if Path(sys.argv[0]).name == "callboard" else "callboard"
    options = [] if data == DEFAULT_DATA else ["--data", str(data)]
    return shlex.join([program, command, *options])


def plain(value: object) -> str:
    """The value as text whose brackets are not read as markup."""
    return escape(str(value))
