"""What a stranger wrote is output on a terminal, and never obeyed by it."""

import ast
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from deploy.cli.printing import console, plain

ROOT = Path(__file__).parents[2]
#: Sets the clipboard; C1's beginning of a colour; text that runs backwards; a bell.
OBEYED = ("\x1b]52;c;cHduZWQ=\x1b\\", "\x9b31m", "\u202e", "\u2066", "\x07", "\x7f")
DESCRIPTOR = """apiVersion: backstage.io/v1alpha1
kind: "Comp\\e]52;c;cHduZWQ=\\e\\\\"
metadata: {name: "a\\x9b31mb\\u202e\\u2066\\a\\x7f"}
spec: {}
"""
CONFIGURATION = """"k\\e]52;c;cHduZWQ=\\e\\\\": 1
organization: {"a\\x9b31m\\u202e\\u2066\\a\\x7f\\nok x.yaml": 2}
"""


def shown_on_terminal(*words: str | Path) -> str:
    """What a command writes to a terminal, standard output and errors."""
    reader, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    content = b""
    try:
        while chunk := os.read(reader, 65_536):
            content += chunk
    except OSError:
        # The other end is closed.
        pass
    os.close(reader)
    process.wait(60)
    return content.decode()


@pytest.mark.parametrize(
    ("command", "text", "level"),
    [
        (["validate"], DESCRIPTOR, "error"),
        (["validate"], f"a: {DESCRIPTOR}", "error"),
        (["config", "check"], CONFIGURATION, "unknown"),
    ],
    ids=["descriptor", "no YAML", "configuration"],
)
def test_a_report_shows_signs_of_a_foreign_file_as_escapes(
    tmp_path: Path, command: list[str], text: str, level: str
) -> None:
    """In each part of a line, with colours; a key is no line of its own."""
    file = tmp_path / "a\x1b[31m\u202e.yaml"
    file.write_text(text)
    output = shown_on_terminal(*command, file)
    assert not any(sign in output for sign in OBEYED)
    assert "\\x1b[31m\\u202e.yaml" in output
    assert "\x1b[31m\\x1b" not in output.replace(f"\x1b[31m{level}", "")
    colour = {"error": "31", "unknown": "33"}[level]
    assert f"\x1b[{colour}m{level}\x1b[0m " in output
    if text != f"a: {DESCRIPTOR}":
        assert "\\x1b]52;c;" in output
        assert "\\x9b31m" in output
    assert not any(line.startswith("ok ") for line in output.splitlines())


@pytest.mark.parametrize("obeyed", [*OBEYED, "\ud800"])
def test_a_console_shows_signs_as_escapes_wherever_they_come_from(obeyed: str) -> None:
    """Texts, texts with markup, and cells of tables, escaped by the command or not."""
    out = console()
    out.file = io.StringIO()
    table = Table("name", title=f"t{obeyed}")
    table.add_row(plain(f"a{obeyed}b"))
    for printed in (plain(f"a{obeyed}b"), Text.assemble(("a", "red"), obeyed), table):
        out.print(printed)
    written = out.file.getvalue()
    assert not any(sign in written for sign in obeyed if not sign.isprintable())
    assert written.count("\\x") + written.count("\\u") >= 2
    assert written.encode()


def test_line_ends_and_words_in_colons_stay_as_they_are() -> None:
    """An error of several lines has them; a ref is no name of a picture."""
    out = console()
    out.file = io.StringIO()
    out.print(plain("one\n\ttwo :warning: component:api:x [red]"), soft_wrap=True)
    written = out.file.getvalue()
    assert written.split() == ["one", "two", ":warning:", "component:api:x", "[red]"]
    assert written.count("\n") == 2


def test_commands_print_by_one_module() -> None:
    """No other writes to the terminal, or makes a console of its own."""
    own_ways = {"echo", "secho", "Console", "write_stdout"}
    for file in sorted((ROOT / "deploy" / "cli").glob("*.py")):
        if file.name == "printing.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else ""
                name = called.id if isinstance(called, ast.Name) else name
                is_print = isinstance(called, ast.Name) and name == "print"
                assert name not in own_ways, f"{file.name}: {name}"
                assert not is_print, f"{file.name}: print"


def test_json_for_scripts_is_ascii(tmp_path: Path) -> None:
    """It holds the signs as JSON's escapes: also on a terminal nothing is obeyed."""
    file = tmp_path / "a.yaml"
    file.write_text(DESCRIPTOR)
    output = shown_on_terminal("validate", "--json", file)
    assert output.isascii()
    assert "\x1b" not in output
    [finding] = json.loads(output)
    assert "\x9b31m" in finding["ref"]
