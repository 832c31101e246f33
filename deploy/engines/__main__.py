"""`python -m deploy.engines`: fetch, start, stop and show real servers.

The servers outlive the command: their process ids are in DIR/engines.json, and the
environment variables for a portal that uses them are in DIR/engines.env.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from deploy.engines import (
    documents,
    kafka,
    opa,
    opensearch,
    processes,
    security,
    toxiproxy,
)
from deploy.engines.engine import VARIABLES, Engine, EngineFailed
from deploy.engines.fetching import SOURCES, CannotFetch, fetch

STARTS: Mapping[str, Callable[..., Engine]] = {
    "broker": kafka.start,
    "documents": documents.start,
    "opensearch": opensearch.start,
    "opa": opa.start,
    "toxiproxy": toxiproxy.start,
}
#: Without toxiproxy, which is for fault tests and started only by name.
DEFAULT_ENGINES = ("broker", "documents", "opensearch", "opa")
STOP_SECONDS = 15.0
app = typer.Typer(help=__doc__, no_args_is_help=True)
out = Console()
err = Console(stderr=True)
Data = Annotated[Path, typer.Option("--data", help="Folder that holds their state.")]
Names = Annotated[list[str] | None, typer.Argument(help="Which; by default all.")]
DEFAULT_DATA = Path(".callboard-engines")


@app.command("fetch")
def fetch_command(names: Names = None) -> None:
    """Fetch every server's jars and binaries into the cache, and verify them."""
    with _progress_bar() as bar:
        task = bar.add_task("Looking", total=1.0)
        _fetch(_chosen(names, tuple(SOURCES)), bar, task)
    out.print("All servers are fetched and checked.")


@app.command()
def start(
    names: Names = None,
    data: Data = DEFAULT_DATA,
    secure: Annotated[
        bool, typer.Option(help="TLS, a user and a password for each.")
    ] = False,
    auto_create: Annotated[
        bool, typer.Option(help="Kafka makes a topic for whoever asks for it.")
    ] = False,
) -> None:
    """Start servers that continue to run after this command."""
    chosen = _chosen(names, DEFAULT_ENGINES)
    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    running = {
        name
        for name, running_engine in _running_engines(data).items()
        if _is_alive(running_engine)
    }
    guard = security.guard(data / "guard") if secure else None

    def begin(name: str) -> Engine:
        options: dict[str, Any] = {"detached": True}
        if guard and name in VARIABLES:
            options["secure"] = guard
        if name == "broker":
            options["auto_create"] = auto_create
        return STARTS[name](data / name, data / f"{name}.log", **options)

    with _progress_bar() as bar, ThreadPoolExecutor(len(STARTS)) as pool:
        task = bar.add_task("Starting", total=1.0)
        _fetch(chosen, bar, task)
        bar.update(task, description=f"Starting {', '.join(chosen)}", completed=0.5)
        started_at = time.monotonic()
        futures = [pool.submit(begin, n) for n in chosen if n not in running]
        started, failed = list[Engine](), list[EngineFailed]()
        for future in futures:
            try:
                started.append(future.result())
            except EngineFailed as error:
                failed.append(error)
    seconds = time.monotonic() - started_at
    _store_engines(data, started)
    if started:
        out.print(f"Started {len(started)} together in {seconds:.1f} s.")
    for failure in failed:
        err.print(f"[red]Cannot start:[/] {failure}")
    _show(data)
    raise typer.Exit(1 if failed else 0)


@app.command()
def stop(names: Names = None, data: Data = DEFAULT_DATA) -> None:
    """Stop the servers of a folder; their data stays."""
    data = data.resolve()
    engines = _running_engines(data)
    ending = [
        engines[name] for name in _chosen(names, tuple(engines)) if name in engines
    ]
    with ThreadPoolExecutor(len(STARTS)) as pool:
        stopped = sum(pool.map(_end, ending))
    out.print(f"Stopped {stopped}." if stopped else "Nothing was running.")


@app.command()
def status(data: Data = DEFAULT_DATA) -> None:
    """Show what runs; exit code 1 if something that was started does not."""
    data = data.resolve()
    _show(data)
    engines = _running_engines(data).values()
    raise typer.Exit(0 if engines and all(map(_is_alive, engines)) else 1)


def _chosen(names: list[str] | None, defaults: tuple[str, ...]) -> list[str]:
    unknown = set(names or ()) - SOURCES.keys()
    if unknown:
        names_text = ", ".join(SOURCES)
        err.print(f"[red]There is no {', '.join(sorted(unknown))}:[/] {names_text}")
        raise typer.Exit(2)
    return list(names or defaults)


def _progress_bar() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
    return Progress(*columns, TimeElapsedColumn(), console=err, transient=True)


def _fetch(names: list[str], bar: Progress, task: Any) -> None:
    def progress(description: str, share: float) -> None:
        bar.update(task, description=description, completed=share)
        if not err.is_terminal:
            err.print(description)

    try:
        fetch(names, progress)
    except CannotFetch as error:
        err.print(f"[red]Cannot fetch:[/] {error}")
        raise typer.Exit(1) from error


def _running_engines(data: Path) -> dict[str, dict[str, Any]]:
    try:
        engines: dict[str, dict[str, Any]] = json.loads(
            (data / "engines.json").read_text("utf-8")
        )
    except (OSError, ValueError):
        return {}
    return engines


def _store_engines(data: Path, started: list[Engine]) -> None:
    engines = _running_engines(data)
    environment = _environment(data)
    for engine in started:
        pids = [p.pid for p in (*engine.companions, engine.process)]
        engines[engine.name] = {
            "address": engine.address,
            "pids": {str(pid): _start_time(pid) for pid in pids},
        }
        environment |= _environment_of(engine)
    (data / "engines.json").write_text(json.dumps(engines, indent=2) + "\n")
    lines = [f"{name}={value}" for name, value in sorted(environment.items())]
    processes.secret_file(data / "engines.env", "\n".join(lines) + "\n")


def _environment(data: Path) -> dict[str, str]:
    file = data / "engines.env"
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    return dict(line.split("=", 1) for line in lines)


def _environment_of(engine: Engine) -> dict[str, str]:
    """The environment variables of a portal for an engine."""
    variable = VARIABLES.get(engine.name)
    if variable is None:
        return {}
    server = engine.server
    secret_suffix = "TOKEN" if engine.name == "opa" else "PASSWORD"
    variables = {
        variable: server.address,
        f"{variable}_USER": server.user,
        f"{variable}_{secret_suffix}": server.password,
        f"{variable}_CA": str(server.ca) if server.ca else None,
    }
    return {name: value for name, value in variables.items() if value}


def _show(data: Path) -> None:
    table = Table("engine", "address", "process", "state")
    for name, engine in _running_engines(data).items():
        state = "[green]runs[/]" if _is_alive(engine) else "[red]ended[/]"
        table.add_row(name, engine["address"], ", ".join(engine["pids"]), state)
    out.print(table)
    out.print(f"For a portal's environment: {data / 'engines.env'}", soft_wrap=True)


def _start_time(pid: int) -> str:
    """The start time of a process, to recognize a reused process id."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def _is_alive(engine: Mapping[str, Any]) -> bool:
    return all(
        _is_same_process(int(pid), start_time)
        for pid, start_time in engine["pids"].items()
    )


def _is_same_process(pid: int, start_time: str) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return _start_time(pid) == start_time


def _end(engine: Mapping[str, Any]) -> bool:
    """Stop an engine's processes; whether one was running."""
    pids = [
        int(pid)
        for pid, start_time in engine["pids"].items()
        if _is_same_process(int(pid), start_time)
    ]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            if _is_same_process(pid, engine["pids"][str(pid)]):
                os.kill(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if not any(_is_same_process(pid, engine["pids"][str(pid)]) for pid in pids):
                return bool(pids)
            time.sleep(processes.POLL_SECONDS)
    return bool(pids)


if __name__ == "__main__":
    app(prog_name="python -m deploy.engines")
