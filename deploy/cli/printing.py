"""Prints for commands: foreign text is never markup, nor a command to the terminal.

Every command prints by this module. Piped output is not wrapped.
"""

import json
import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.text import Text

#: The line width of piped output.
LINE_CHARACTERS = 10_000
DEFAULT_DATA = Path(".callboard")
#: What a terminal obeys instead of showing it: controls (C0 but for line ends and tabs,
#: C1), signs that change the direction of text, line separators; and what is no text.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ud800-\udfff]"
)


class VisibleConsole(Console):
    """A console that shows what a terminal would obey as escapes.

    Colours are not concerned: they are styles, which are written beside the text.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The pieces of what is printed, without anything that a terminal obeys."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield segment._replace(text=visible(segment.text))


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the screen, or without wrapping if output is piped."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else LINE_CHARACTERS
    return VisibleConsole(stderr=stderr, width=width, emoji=False)


def visible(text: str) -> str:
    """The text with escapes for what a terminal obeys instead of showing it."""
    return _OBEYED.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def command_line(command: str, data: Path) -> str:
    """The command line of a command for the same program and data folder."""
    program = sys.argv[0] if Path(sys.argv[0]).name == "callboard" else "callboard"
    options = [] if data == DEFAULT_DATA else ["--data", str(data)]
    return shlex.join([program, command, *options])


def plain(value: object) -> str:
    """The value as text whose brackets are not read as markup."""
    return escape(visible(str(value)))


def print_finding(out: Console, colour: str, level: str, text: str) -> None:
    """Print one line of a report: a coloured word, and what it is about."""
    line = visible(text.replace("\n", "\\n"))
    out.print(Text.assemble((level, colour), " ", line), soft_wrap=True)


def print_line(out: Console, text: str) -> None:
    """Print a text as it is, in one colour."""
    out.print(Text(visible(text)), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a line of JSON for scripts: it is ASCII, so nothing in it is obeyed."""
    typer.echo(json.dumps(value))
