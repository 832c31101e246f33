"""`callboard topics` and `callboard replay`: topics and dead letters of the event log.

The event log is that of `CALLBOARD_KAFKA` (with `_USER`, `_PASSWORD`, `_CA`, `_TLS`),
else that of the portal that runs in the data folder.
"""

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import SecretStr
from rich.table import Table

from deploy.cli.printing import DEFAULT_DATA, console, plain, print_json
from deploy.embedded.rundata import RunData
from shared.contracts import topics as names
from shared.contracts.errors import CallboardError
from shared.kit.config.servers import Server
from shared.kit.config.settings import EnvironmentSettings, read_settings
from shared.kit.events import replay as letters
from shared.kit.events import topics as declared
from shared.kit.events.bus import KafkaBus
from shared.kit.events.dead_letters import DeadLetter

T = TypeVar("T")
out = console()
err = console(stderr=True)
Data = Annotated[Path, typer.Option("--data", help="Folder that holds all state.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


class LogSettings(EnvironmentSettings):
    """The address of the event log in the services' environment variables."""

    kafka: str | None = None
    kafka_user: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca: Path | None = None
    kafka_tls: bool = False

    @property
    def server(self) -> Server | None:
        """The configured server; None without an address."""
        if self.kafka is None:
            return None
        secret = self.kafka_password
        password = secret.get_secret_value() if secret else None
        return Server(
            self.kafka, self.kafka_user, password, self.kafka_ca, self.kafka_tls
        )


def topics(
    data: Data = DEFAULT_DATA,
    check: Annotated[
        bool, typer.Option("--check", help="Create nothing; missing topics are wrong.")
    ] = False,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Partitions of each, at least.")
    ] = None,
    replication: Annotated[
        int | None, typer.Option(min=1, help="Copies of each message, at least.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Create the event log's topics and check them; exit code 1 if one is wrong."""
    required = declared.declared(partitions=partitions, replication=replication)
    report = _run(declared.inspect(_server(data), required, make=not check))
    if as_json:
        print_json(report.as_json())
    elif not report.declares:
        out.print("This event log makes topics by itself: nothing to declare.")
    else:
        for name in report.created:
            out.print(f"[green]made[/] {plain(name)}")
        for name in report.fitting:
            out.print(f"[green]ok[/] {plain(name)}")
        for wrong in report.wrong:
            out.print(f"[red]wrong[/] {plain(wrong)}", highlight=False, soft_wrap=True)
    raise typer.Exit(1 if report.wrong else 0)


def replay(
    topic: Annotated[str, typer.Argument(help="The topic that they were meant for.")],
    data: Data = DEFAULT_DATA,
    id: Annotated[  # noqa: A002
        list[str] | None, typer.Option("--id", help="Only this one; may be repeated.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show them, put none back.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put dead letters back into their topic, each of them once."""
    if topic not in names.TOPICS:
        err.print(
            f"[red]TOPIC: {plain(repr(topic))} is none of {', '.join(names.TOPICS)}[/]"
        )
        raise typer.Exit(2)
    server = _server(data)

    async def put_back() -> list[DeadLetter]:
        dead_letters = letters.select(await letters.pending(server, topic), id or [])
        if not dry_run:
            async with KafkaBus(server) as bus:
                await letters.replay(bus, dead_letters)
        return dead_letters

    dead_letters = _run(put_back())
    if as_json:
        documents = [json.loads(letter.to_bytes()) for letter in dead_letters]
        print_json({"putBack": not dry_run, "letters": documents})
        return
    table = Table("id", "key", "consumer", "why")
    for letter in dead_letters:
        reason = f"{letter.error}: {letter.message}"
        cells = (letter.id, letter.key, letter.consumer, reason)
        table.add_row(*map(plain, cells))
    out.print(table)
    outcome = "would be put back" if dry_run else "put back"
    out.print(f"{len(dead_letters)} {outcome} into {topic}.")


def _server(data: Path) -> Server:
    configured = read_settings(LogSettings).server
    if configured is not None:
        return configured
    running = RunData(data.resolve()).running()
    if running is None:
        err.print(
            f"[red]CALLBOARD_KAFKA is not set, and nothing runs in {plain(data)}.[/]"
        )
        raise typer.Exit(3)
    return Server(str(running["addresses"]["broker"]))


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(coroutine)
    except CallboardError as error:
        err.print(f"[red]{plain(error.message)}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
