"""Chooses the engines of a portal on one machine: embedded, servers, or given ones.

An address in the environment (`CALLBOARD_KAFKA`, …) is a server of the operator, which
is used and not started. For engines without an address, `--engines` decides whether the
embedded form or a real server is started.
"""

import asyncio
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from deploy.embedded import engines
from deploy.embedded.rundata import RunData
from deploy.engines.engine import VARIABLES, Engine
from shared.kit.config.servers import Server

EMBEDDED, SERVERS, CONFIGURED = FORMS = ("embedded", "servers", "given")
#: Engines that are embedded in a service if they have no address.
IN_PROCESS = ("opensearch", "opa")
CREDENTIALS = ("_USER", "_PASSWORD", "_TOKEN", "_CA", "_TLS")
POLICIES = "CALLBOARD_GATEWAY_POLICIES"
TRUE_VALUES = {"1", "true", "yes", "on"}


class WrongEngines(RuntimeError):
    """The settings contradict the data folder; the message has the reason."""


@dataclass(frozen=True, slots=True)
class Backing:
    """The engines of one data folder."""

    data: RunData
    #: The form of each engine: EMBEDDED, SERVERS or CONFIGURED.
    forms: Mapping[str, str]
    environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, data: RunData, form: str, environ: Mapping[str, str]) -> "Backing":
        """Choose the engines by the requested form and the environment.

        Raises:
            WrongEngines: for credentials without an address, or if the data folder's
                documents are in another form.
        """
        forms = {}
        for name, variable in VARIABLES.items():
            is_given = bool(environ.get(variable))
            forms[name] = CONFIGURED if is_given else form
            for suffix in CREDENTIALS:
                if environ.get(variable + suffix) and not is_given:
                    raise WrongEngines(
                        f"{variable}{suffix} is set without {variable}: it is for a "
                        "server of your own, whose address goes there"
                    )
        _store_form(data, forms["documents"])
        return cls(data, forms, environ)

    def started(self) -> tuple[str, ...]:
        """The engines that run as processes of this portal."""
        return tuple(
            name
            for name, form in self.forms.items()
            if form == SERVERS or (form == EMBEDDED and name not in IN_PROCESS)
        )

    def start(self, name: str, port: int | None = None) -> Engine:
        """Start an engine on its existing data; Kafka's topics are created.

        Raises:
            EngineFailed, CannotFetch: if it does not start.
            CallboardError: if existing topics do not fit the services.
        """
        log = self.data.logs / f"{name}.log"
        folder = self.data.engines / "servers" / name
        if self.forms[name] == EMBEDDED:
            if name == "broker":
                return engines.start_broker(self.data.engines, log)
            secret = self.data.documents_password_file()
            folder_path = self.data.engines / name
            return engines.start_documents(folder_path, log, port, password_file=secret)
        if name == "opa":
            configured = self.environ.get(POLICIES)
            policies = Path(configured) if configured else _driver("opa").POLICIES
            opa = _driver("opa").start(folder, log, port=port, policies=policies)
            return cast(Engine, opa)
        if name == "broker":
            return _with_topics(_driver("kafka").start(folder, log, port=port))
        engine: Engine = _driver(name).start(folder, log, port=port)
        return engine

    def forgets(self, name: str) -> bool:
        """Whether it restarts empty and at another address (the embedded log)."""
        return name == "broker" and self.forms[name] == EMBEDDED

    def environment(self, started: Mapping[str, Engine]) -> dict[str, str]:
        """The environment variables with the addresses of the started engines."""
        variables = {
            VARIABLES[name]: engine.address for name, engine in started.items()
        }
        if self.forms["documents"] == EMBEDDED:
            variable = VARIABLES["documents"]
            variables[variable] += engines.UNSYNCED
            server = started["documents"].server
            variables[f"{variable}_USER"] = server.user or ""
            variables[f"{variable}_PASSWORD"] = server.password or ""
        return variables

    def addresses(self, started: Mapping[str, Engine]) -> dict[str, str]:
        """The address of each engine, without passwords."""
        addresses = {
            name: _without_credentials(self.environ[VARIABLES[name]])
            for name, form in self.forms.items()
            if form == CONFIGURED
        }
        return addresses | {name: engine.address for name, engine in started.items()}

    def declare_given(self) -> None:
        """Create and check the topics of a given event log.

        Raises:
            CallboardError: if it does not answer or a topic does not fit.
        """
        if self.forms["broker"] == CONFIGURED:
            asyncio.run(_ensure_topics(_configured_log(self.environ)))


def _driver(name: str) -> Any:
    """Import an engine's driver when it is started; embedded forms need none."""
    return importlib.import_module(f"deploy.engines.{name}")


async def _ensure_topics(server: Server) -> None:
    await importlib.import_module("shared.kit.events.topics").ensure(server)


def _with_topics(engine: Engine) -> Engine:
    try:
        asyncio.run(_ensure_topics(engine.server))
    except BaseException:
        engine.stop()
        raise
    return engine


def _configured_log(environ: Mapping[str, str]) -> Server:
    name = VARIABLES["broker"]
    authority = environ.get(f"{name}_CA")
    return Server(
        environ[name],
        environ.get(f"{name}_USER"),
        environ.get(f"{name}_PASSWORD"),
        Path(authority) if authority else None,
        environ.get(f"{name}_TLS", "").lower() in TRUE_VALUES,
    )


def _without_credentials(address: str) -> str:
    """An address without user and password."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def form_of(data: RunData) -> str | None:
    """The form of the document store of a data folder; None for a new folder."""
    try:
        stored = json.loads(_form_file(data).read_text("utf-8"))
    except (OSError, ValueError):
        # Older data folders have no such file, and the embedded form.
        return EMBEDDED if (data.engines / "documents").is_dir() else None
    return str(stored["documents"])


def _store_form(data: RunData, form: str) -> None:
    """Store the form, as the services' other files belong to these documents."""
    stored = form_of(data)
    if stored is not None and stored != form:
        raise WrongEngines(
            f"{data.root} holds a portal whose documents are on "
            f"{_FORM_NAMES[stored]}, not "
            f"on {_FORM_NAMES[form]}: start it as before, or choose another --data"
        )
    if stored is None:
        data.engines.mkdir(parents=True, exist_ok=True)
        _form_file(data).write_text(json.dumps({"documents": form}) + "\n")


_FORM_NAMES = {
    EMBEDDED: "the embedded engine (--engines embedded)",
    SERVERS: "a server that is started with it (--engines servers)",
    CONFIGURED: "the server that CALLBOARD_MONGODB names",
}


def _form_file(data: RunData) -> Path:
    return data.engines / "form.json"
