"""`callboard backup` and `callboard restore`: the documents and the docs sites.

A backup may be made while the portal runs. It has the data that cannot be derived;
search, read models, Git mirrors and topics are rebuilt from it. After a restore on
servers whose event log or index is older or newer than the backup, run `callboard
rebuild search`. The keys below DIR/keys and the configuration are not part of it: store
CALLBOARD_SERVICE_SECRET, without which secrets of template runs cannot be decrypted.

Alternatively use MongoDB's tools: `mongodump --gzip --db callboard_…` of the four
databases (catalog, scaffolder, techdocs, gateway) with the services stopped, or with
`--oplog` on a replica set, or volume snapshots. `mongorestore --gzip` can also read the
`.bson.gz` files of a backup.
"""

import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from deploy.cli import dumps
from deploy.cli.printing import DEFAULT_DATA, console, plain
from deploy.embedded import backing, engines
from deploy.embedded.rundata import RunData
from deploy.engines.engine import EngineFailed
from shared.contracts.errors import CallboardError
from shared.guards.foreign_files import ForeignFolder
from shared.kit.config.servers import Server
from shared.kit.config.settings import EnvironmentSettings, read_settings
from shared.kit.documents import mongo

out = console()
err = console(stderr=True)
SITES = "sites.tar.gz"
CHUNK = 1024 * 1024
Data = Annotated[Path, typer.Option("--data", help="Folder that holds all state.")]


class BackupRefused(RuntimeError):
    """The backup or restore was refused; the message has the reason and advice."""


class StoreSettings(EnvironmentSettings):
    """The address of the document store in the services' environment variables."""

    mongodb: str | None = None
    mongodb_user: str | None = None
    mongodb_password: SecretStr | None = None
    mongodb_ca: Path | None = None

    @property
    def server(self) -> Server | None:
        """The configured server; None without an address."""
        if self.mongodb is None:
            return None
        password = self.mongodb_password
        secret = password.get_secret_value() if password else None
        return Server(self.mongodb, self.mongodb_user, secret, self.mongodb_ca)


def backup(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Save all documents and docs sites to a folder; the portal may run."""
    with (
        _errors_printed(),
        _store(RunData(data.resolve())) as client,
        _progress_bar() as progress,
    ):
        if folder.exists() and any(folder.iterdir()):
            raise BackupRefused(f"{folder} is not empty; choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        collections = dumps.dump(client, folder, progress)
        if not collections:
            raise BackupRefused(
                "There is nothing to save: no database of a service is there"
            )
        # After the documents, so that every site that they refer to is saved.
        sites = _pack(data.resolve() / "sites", folder / SITES)
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        dumps.write_manifest(folder, collections, {"made_at": made_at, "sites": sites})
    count = sum(collection.documents for collection in collections)
    out.print(
        f"Saved {count} documents of {len(collections)} collections to {plain(folder)}"
    )


def restore(
    folder: Annotated[Path, typer.Argument(help="What `callboard backup` wrote.")],
    data: Data = DEFAULT_DATA,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what is there.")
    ] = False,
) -> None:
    """Restore a backup; the services must not run. Refuses to replace documents."""
    run_data = RunData(data.resolve())
    with _errors_printed():
        dumped, manifest = dumps.read_manifest(folder)
        if run_data.running() is not None:
            raise BackupRefused(
                f"A portal runs in {data}; stop it first: callboard down"
            )
        run_data.prepare()
        with _store(run_data) as client, _progress_bar() as progress:
            sites = run_data.root / "sites"
            existing = dumps.filled_collections(client)
            existing += [str(sites)] if sites.is_dir() and any(sites.iterdir()) else []
            if existing and not force:
                raise BackupRefused(
                    f"Documents are there ({', '.join(existing[:3])} …); "
                    "--force replaces all of them"
                )
            if manifest.get("sites"):
                # First the sites: sites without documents are harmless, not vice versa.
                _unpack(folder / SITES, sites)
            dumps.restore(client, folder, dumped, progress)
    count = sum(collection.documents for collection in dumped)
    out.print(
        f"Restored {count} documents of {plain(manifest['made_at'])}, checksums equal"
    )


def _pack(sites: Path, target: Path) -> str | None:
    """Write the published sites to one file; its checksum, or None without sites."""
    objects = sites / "objects"
    if not objects.is_dir():
        return None
    with tarfile.open(target, "w:gz", compresslevel=3) as archive:
        for site in sorted(objects.iterdir()):
            archive.add(site, f"objects/{site.name}")
    return dumps.sha256(target)


def _unpack(source: Path, sites: Path) -> None:
    new = sites.with_name("sites.new")
    shutil.rmtree(new, ignore_errors=True)
    with (
        tarfile.open(source, "r:gz") as archive,
        ForeignFolder.open(new, create=True) as folder,
    ):
        for member in archive:
            _restore_file(archive, member, folder)
    if sites.exists():
        shutil.rmtree(sites)
    new.rename(sites)


def _restore_file(
    archive: tarfile.TarFile, member: tarfile.TarInfo, folder: ForeignFolder
) -> None:
    if member.isdir():
        return
    content = archive.extractfile(member) if member.isfile() else None
    if content is None:
        raise dumps.BadBackup(f"{SITES}: {member.name!r} is neither file nor folder")
    folder.write(member.name, iter(lambda: content.read(CHUNK), b""))


@contextmanager
def _store(data: RunData) -> Iterator[MongoClient[Any]]:
    """The configured store, else the running portal's, else the data folder's.

    The data folder's store is started and stopped with the block.
    """
    engine = None
    server = read_settings(StoreSettings).server
    running = data.running()
    if server is None and running is not None:
        server = Server(str(running["addresses"]["documents"]))
        if running["engines"]["documents"] == backing.EMBEDDED:
            password = data.documents_password_file().read_text().strip()
            server = Server(server.address, engines.DOCUMENTS_USER, password)
    if server is None:
        form = backing.form_of(data) or backing.EMBEDDED
        data.logs.mkdir(parents=True, exist_ok=True)
        engine = backing.Backing.of(data, form, os.environ).start("documents")
        server = engine.server
    try:
        client: MongoClient[Any] = mongo.connect(server).delegate
        try:
            yield client
        finally:
            client.close()
    finally:
        if engine is not None:
            engine.stop()


@contextmanager
def _progress_bar() -> Iterator[dumps.Progress]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=err,
        transient=True,
    )
    with bar:
        tasks: dict[str, Any] = {}

        def progress(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name)
            bar.update(tasks[name], completed=done, total=total)

        yield progress


@contextmanager
def _errors_printed() -> Iterator[None]:
    """Print errors as text and exit with code 1."""
    try:
        yield
    except (
        BackupRefused,
        dumps.BadBackup,
        EngineFailed,
        CallboardError,
    ) as error:
        err.print(f"[red]{plain(error)}[/]", soft_wrap=True)
    except backing.WrongEngines as error:
        err.print(f"[red]{plain(error)}[/]", soft_wrap=True)
    except OSError as error:
        err.print(
            f"[red]{plain(error.filename)}: {plain(error.strerror)}[/]", soft_wrap=True
        )
    except PyMongoError as error:
        # The driver's text may be pages long; its beginning is enough.
        err.print(
            f"[red]The document store: {plain(str(error)[:200])}[/]", soft_wrap=True
        )
    else:
        return
    raise typer.Exit(1)
