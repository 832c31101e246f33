"""The commands of `callboard`: options, output and exit codes."""

import importlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from deploy.cli import starting
from deploy.cli.config_commands import config_app
from deploy.cli.portal import Portal, PortalError
from deploy.cli.printing import (
    DEFAULT_DATA,
    command_line,
    console,
    plain,
    print_finding,
    print_json,
    print_line,
)
from deploy.cli.validation import Finding, check_path
from deploy.embedded.rundata import RunData
from shared.contracts.checks import check_name, check_order
from shared.contracts.errors import Invalid, NotFound

app = typer.Typer(
    name="callboard",
    help="A developer portal: catalog, templates, docs and search behind one gateway.",
    no_args_is_help=True,
)
rebuild_app = typer.Typer(help="Rebuild derived data.", no_args_is_help=True)
app.add_typer(rebuild_app, name="rebuild")
app.add_typer(config_app, name="config")
#: Commands that must start quickly: they load no engine's driver.
QUICK_COMMANDS = frozenset({"up", "down", "status"})
OPERATOR_COMMANDS = {
    "deploy.cli.backup": ("backup", "restore"),
    "deploy.cli.topics": ("topics", "replay"),
}
out = console()
err = console(stderr=True)

Data = Annotated[
    Path, typer.Option("--data", help="Folder that holds all state.", show_default=True)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
COLOURS = {"ok": "green", "error": "red", "warning": "yellow", "left out": "yellow"}


@app.command()
def up(
    data: Data = DEFAULT_DATA,
    port: Annotated[
        int, typer.Option(help="Port of portal and API.", min=0, max=65535)
    ] = 7007,
    example: Annotated[
        str, typer.Option(help="playhouse, golden or empty.")
    ] = "playhouse",
    config: Annotated[
        Path | None, typer.Option(help="Your own configuration file.")
    ] = None,
    engines: Annotated[
        str | None,
        typer.Option(
            envvar="CALLBOARD_ENGINES",
            help="embedded, or servers: Kafka, OpenSearch, OPA and a MongoDB server "
            "are fetched and started. CALLBOARD_KAFKA, _MONGODB, _OPENSEARCH and _OPA "
            "name servers of your own.",
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when the portal is ready.")
    ] = False,
) -> None:
    """Start the portal, load the example, and print the portal's address."""
    running = RunData(data.resolve()).running()
    if running is not None:
        out.print(f"Already running at [bold]{plain(running['url'])}[/]")
        return
    try:
        form = starting.engines_form(data.resolve(), engines)
        options = starting.StartOptions(data.resolve(), port, example, config, form)
        process = _start(options)
    except starting.CannotStart as error:
        err.print(f"[red]Cannot start:[/] {plain(error)}")
        raise typer.Exit(1) from error
    if detach:
        status_command, down_command = (
            plain(command_line(name, data)) for name in ("status", "down")
        )
        out.print(
            f"It runs in the background: `{status_command}`, `{down_command}`.",
            soft_wrap=True,
        )
        return
    _wait(process, options.data)


def _wait(process: Any, data: Path) -> None:
    """Wait for the supervisor to end, or stop it at Ctrl-C."""
    out.print("Ctrl-C stops it.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        out.print("Stopping …")
        starting.stop(RunData(data))
        process.wait()
        return
    err.print(f"[red]The supervisor ended with {code};[/] see {plain(data / 'logs')}")
    raise typer.Exit(1)


def _start(options: starting.StartOptions) -> Any:
    for warning in starting.config_warnings(options):
        err.print(f"[yellow]Configuration:[/] {plain(warning)}", soft_wrap=True)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        console=err,
        transient=True,
    )
    with bar:
        task = bar.add_task("Preparing", total=1.0)

        def progress(description: str, share: float) -> None:
            bar.update(task, description=description, completed=share)

        data = starting.prepare(options, progress)
        process = starting.start(options, data)
        portal = starting.wait_ready(options, data, process, progress)
        is_playhouse = options.example == "playhouse" and options.config is None
        expected = _count_example_entities() if is_playhouse else 0
        if expected:
            starting.wait_loaded(portal, expected, progress)
    _welcome(options, portal, is_playhouse=is_playhouse)
    return process


def _count_example_entities() -> int:
    folder = starting.EXAMPLES / "playhouse" / "repositories"
    return len({f.ref for f in check_path(folder) if f.ref and f.error is None})


def _welcome(
    options: starting.StartOptions, portal: Portal, *, is_playhouse: bool
) -> None:
    out.print(f"Callboard is ready: [bold]{plain(portal.url)}[/]")
    if is_playhouse:
        workshop = options.data / "workshop"
        out.print("Sign in there as a guest, or as any user of the example.")
        out.print(f"Working copies of the example's repositories: {plain(workshop)}")
        out.print(
            "Try: open the entity page of [bold]payments[/], edit "
            f"{plain(workshop / 'payments' / 'catalog-info.yaml')}, commit and "
            "`git push`; the page changes by itself."
        )
    else:
        out.print(f"The API's token is in {plain(options.data / 'token')}")


@app.command()
def down(data: Data = DEFAULT_DATA) -> None:
    """Stop the portal of a data folder; its state stays."""
    try:
        stopped = starting.stop(RunData(data.resolve()))
    except starting.CannotStart as error:
        err.print(f"[red]{plain(error)}[/]")
        raise typer.Exit(1) from error
    out.print("Stopped." if stopped else "Nothing was running.")


def _portal(data: Path) -> Portal:
    run_data = RunData(data.resolve())
    running = run_data.running()
    if running is None:
        err.print(
            f"[red]Nothing runs in {plain(data)}.[/] "
            f"Start it with `{plain(command_line('up', data))}`.",
            soft_wrap=True,
        )
        raise typer.Exit(3)
    return Portal(str(running["url"]), run_data.token())


@app.command()
def status(data: Data = DEFAULT_DATA, as_json: Json = False) -> None:
    """Show the state of every service and engine.

    Exit code 1 if something is not ready, 3 if nothing runs.
    """
    portal = _portal(data)
    response = _request_or_exit(portal, "GET", "/api/status")
    if as_json:
        print_json(response)
    else:
        table = Table("service", "dependency", "state")
        for service in response["services"]:
            checks = service.get("checks") or {"-": service["status"]}
            for name in sorted(checks, key=check_order):
                state = checks[name]
                colour = "green" if state == "ok" else "red"
                table.add_row(
                    plain(service["name"]),
                    plain(check_name(name)),
                    f"[{colour}]{plain(state)}[/]",
                )
        out.print(table)
    raise typer.Exit(0 if response["status"] == "ok" else 1)


@app.command()
def validate(
    path: Annotated[Path, typer.Argument(help="A descriptor, or a folder of them.")],
    kinds: Annotated[
        list[Path],
        typer.Option(help="A file of an own kind (catalog.kinds), or a folder."),
    ] = [],  # noqa: B006 - typer reads the default and passes a new list
    as_json: Json = False,
    strict: Annotated[bool, typer.Option(help="Warnings count as errors.")] = False,
) -> None:
    """Check descriptors without a portal, by the catalog's own rules.

    A folder is searched for descriptors; skeletons of templates and files of other
    tools are left out, and named. Exit code 0: all are valid; 1: one breaks a rule or
    cannot be read, or with --strict there is a warning; 2: there is nothing to check,
    also if every file is empty.
    """
    try:
        findings = check_path(path, kinds)
    except (NotFound, Invalid) as error:
        err.print(f"[red]{plain(error.message)}[/]")
        raise typer.Exit(2) from error
    if as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        for finding in findings:
            print_finding(out, COLOURS[finding.outcome], finding.outcome, finding.text)
        print_line(err, _summary(findings))
    if all(finding.is_empty or finding.left_out for finding in findings):
        raise typer.Exit(2)
    failing = {"error", "warning"} if strict else {"error"}
    raise typer.Exit(1 if any(item.outcome in failing for item in findings) else 0)


def _summary(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.outcome for finding in findings)
    files = {finding.file for finding in findings if finding.outcome != "left out"}
    parts = [
        f"{len(files)} file{'s' if len(files) != 1 else ''} read",
        f"{counts['left out']} left out",
        f"{counts['error']} error{'s' if counts['error'] != 1 else ''}",
    ]
    if counts["warning"]:
        parts.append(
            f"{counts['warning']} warning{'s' if counts['warning'] != 1 else ''}"
        )
    return ", ".join(parts)


@app.command()
def events(
    data: Data = DEFAULT_DATA,
    topic: Annotated[str | None, typer.Option(help="Only this topic.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only this entity ref.")] = None,
    as_json: Json = False,
) -> None:
    """Follow the event stream until Ctrl-C."""
    portal = _portal(data)
    query = {k: v for k, v in (("topic", topic), ("entity", entity)) if v}
    try:
        for name, body in portal.stream("/api/events/stream", query):
            envelope = json.loads(body)
            if as_json:
                print_json(envelope)
            else:
                clock_time = str(envelope.get("time", ""))[11:19]
                subject = plain(envelope.get("subject", ""))
                out.print(f"{plain(clock_time)} {plain(name)} [bold]{subject}[/]")
    except KeyboardInterrupt:
        return
    except PortalError as error:
        err.print(f"[red]{plain(error)}[/]")
        raise typer.Exit(1) from error


@rebuild_app.command("search")
def rebuild_search(data: Data = DEFAULT_DATA, as_json: Json = False) -> None:
    """Rebuild the search index from the services' snapshots, and verify it."""
    portal = _portal(data)
    result = _request_or_exit(portal, "POST", "/api/search/rebuild")
    if as_json:
        print_json(result)
    else:
        out.print(f"Rebuilt: {plain(result)}")


def _request_or_exit(portal: Portal, method: str, path: str) -> Any:
    try:
        return portal.request(method, path)
    except PortalError as error:
        err.print(f"[red]{plain(error)}[/]")
        raise typer.Exit(1) from error


def run() -> None:
    """The entry point of the `callboard` script."""
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    quick = QUICK_COMMANDS.intersection(sys.argv[1:2])
    (app if quick else all_commands())(prog_name="callboard")


def all_commands() -> typer.Typer:
    """All commands, including those that load engines' drivers."""
    for module, names in OPERATOR_COMMANDS.items():
        commands = importlib.import_module(module)
        for name in names:
            app.command()(getattr(commands, name))
    OPERATOR_COMMANDS.clear()
    return app
