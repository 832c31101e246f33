"""`callboard config`: checks a configuration file and prints its JSON Schema."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.configuration import Problem, check_config, json_schema
from deploy.cli.printing import (
    console,
    plain,
    print_finding,
    print_json,
    print_line,
)
from shared.contracts.errors import Invalid

config_app = typer.Typer(
    help="Check a configuration, or print its JSON Schema.", no_args_is_help=True
)
out = console()
err = console(stderr=True)


@config_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="An app-config.yaml.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON for scripts.")
    ] = False,
    strict: Annotated[
        bool, typer.Option(help="Warnings and unknown keys count as errors.")
    ] = False,
    environment: Annotated[
        bool,
        typer.Option(
            help="Whether variables of the environment must be set, as at a start."
        ),
    ] = True,
) -> None:
    """Check a configuration without a portal: every key, with its line.

    Exit code 0: nothing is wrong; 1: a value is, or with --strict there is a warning
    or a key that means nothing; 2: the file cannot be read.
    """
    try:
        problems = check_config(file, os.environ, needs_variables=environment)
    except Invalid as error:
        err.print(f"[red]{plain(error.message)}[/]")
        raise typer.Exit(2) from error
    if as_json:
        print_json([problem.as_json() for problem in problems])
    else:
        for problem in problems:
            _print_problem(file, problem)
        print_line(err, _summary(problems))
    raise typer.Exit(
        1
        if any(strict or found_problem.level == "error" for found_problem in problems)
        else 0
    )


def _print_problem(file: Path, problem: Problem) -> None:
    colour = "red" if problem.level == "error" else "yellow"
    location = f"{file}:{problem.line}" if problem.line else str(file)
    text = f"{location}: {problem.key}: {problem.message}"
    print_finding(out, colour, problem.level, text)


def _summary(problems: Sequence[Problem]) -> str:
    names = {"error": "error", "unknown": "unknown key", "warning": "warning"}
    counts = Counter[str](problem.level for problem in problems)
    return ", ".join(
        f"{counts[level]} {name}{'s' if counts[level] != 1 else ''}"
        for level, name in names.items()
    )


@config_app.command()
def schema() -> None:
    """Print a JSON Schema of the configuration, for editors."""
    print_line(out, json_schema())
