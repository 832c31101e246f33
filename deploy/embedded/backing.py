"""Which servers a machine's portal stands on: embedded ones, real ones, given ones.

An address in the environment (`CALLBOARD_KAFKA`, …) is a server of the operator's: it
is used, and none is started for it. For what has no address, `--engines` says whether
the embedded form or a real server of this machine is started.
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

EMBEDDED, SERVERS, GIVEN = FORMS = ("embedded", "servers", "given")
#: Inside the services where no server is named.
INSIDE = ("opensearch", "opa")
CREDENTIALS = ("_USER", "_PASSWORD", "_TOKEN", "_CA", "_TLS")
POLICIES = "CALLBOARD_GATEWAY_POLICIES"
YES = {"1", "true", "yes", "on"}


class WrongEngines(RuntimeError):
    """The settings or the data folder do not fit; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Backing:
    """The engines of one data folder."""

    data: RunData
    #: Of each engine: EMBEDDED, SERVERS or GIVEN.
    forms: Mapping[str, str]
    environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, data: RunData, form: str, environ: Mapping[str, str]) -> "Backing":
        """What to stand on, by the wish and the environment.

        Raises:
            WrongEngines: for credentials without their server, or a data folder whose
                documents lie elsewhere.
        """
        forms = {}
        for name, variable in VARIABLES.items():
            given = bool(environ.get(variable))
            forms[name] = GIVEN if given else form
            for end in CREDENTIALS:
                if environ.get(variable + end) and not given:
                    raise WrongEngines(
                        f"{variable}{end} is set without {variable}: it is for a "
                        "server of your own, whose address goes there"
                    )
        _remember(data, forms["documents"])
        return cls(data, forms, environ)

    def started(self) -> tuple[str, ...]:
        """The engines that are processes of this portal."""
        return tuple(
            name
            for name, form in self.forms.items()
            if form == SERVERS or (form == EMBEDDED and name not in INSIDE)
        )

    def start(self, name: str, port: int | None = None) -> Engine:
        """Start one, on the data it had; topics are made where the log can.

        Raises:
            EngineFailed, CannotFetch: if it does not start.
            CallboardError: if the log's topics contradict what the services need.
        """
        log = self.data.logs / f"{name}.log"
        folder = self.data.engines / "servers" / name
        if self.forms[name] == EMBEDDED:
            if name == "broker":
                return engines.start_broker(self.data.engines, log)
            secret = self.data.documents_password_file()
            place = self.data.engines / name
            return engines.start_documents(place, log, port, password_file=secret)
        if name == "opa":
            given = self.environ.get(POLICIES)
            policies = Path(given) if given else _driver("opa").POLICIES
            opa = _driver("opa").start(folder, log, port=port, policies=policies)
            return cast(Engine, opa)
        if name == "broker":
            return _with_topics(_driver("kafka").start(folder, log, port=port))
        started: Engine = _driver(name).start(folder, log, port=port)
        return started

    def forgets(self, name: str) -> bool:
        """Whether it comes back elsewhere and empty: the embedded log alone."""
        return name == "broker" and self.forms[name] == EMBEDDED

    def environment(self, started: Mapping[str, Engine]) -> dict[str, str]:
        """What the services are told of the engines that were started for them."""
        told = {VARIABLES[name]: engine.address for name, engine in started.items()}
        if self.forms["documents"] == EMBEDDED:
            variable = VARIABLES["documents"]
            told[variable] += engines.UNSYNCED
            server = started["documents"].server
            told[f"{variable}_USER"] = server.user or ""
            told[f"{variable}_PASSWORD"] = server.password or ""
        return told

    def addresses(self, started: Mapping[str, Engine]) -> dict[str, str]:
        """Where each answers; no password of a given one is in it."""
        given = {
            name: _bare(self.environ[VARIABLES[name]])
            for name, form in self.forms.items()
            if form == GIVEN
        }
        return given | {name: engine.address for name, engine in started.items()}

    def declare_given(self) -> None:
        """Make and check the topics of a given event log.

        Raises:
            CallboardError: if it does not answer or a topic contradicts the code.
        """
        if self.forms["broker"] == GIVEN:
            asyncio.run(_ensure_topics(_given_log(self.environ)))


def _driver(name: str) -> Any:
    """An engine's own room, loaded when it is started: embedded forms need none."""
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


def _given_log(environ: Mapping[str, str]) -> Server:
    name = VARIABLES["broker"]
    authority = environ.get(f"{name}_CA")
    return Server(
        environ[name],
        environ.get(f"{name}_USER"),
        environ.get(f"{name}_PASSWORD"),
        Path(authority) if authority else None,
        environ.get(f"{name}_TLS", "").lower() in YES,
    )


def _bare(address: str) -> str:
    """An address without the user and password that a URL may carry."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def form_of(data: RunData) -> str | None:
    """Where the documents of a data folder lie; None for a new one."""
    try:
        found = json.loads(_file(data).read_text("utf-8"))
    except (OSError, ValueError):
        # One that was made before there was a choice has them in the embedded form.
        return EMBEDDED if (data.engines / "documents").is_dir() else None
    return str(found["documents"])


def _remember(data: RunData, form: str) -> None:
    """The services' other files belong to these documents: they stay together."""
    known = form_of(data)
    if known is not None and known != form:
        raise WrongEngines(
            f"{data.root} holds a portal whose documents are on {_WORDS[known]}, not "
            f"on {_WORDS[form]}: start it as before, or choose another --data"
        )
    if known is None:
        data.engines.mkdir(parents=True, exist_ok=True)
        _file(data).write_text(json.dumps({"documents": form}) + "\n")


_WORDS = {
    EMBEDDED: "the embedded engine (--engines embedded)",
    SERVERS: "a server that is started with it (--engines servers)",
    GIVEN: "the server that CALLBOARD_MONGODB names",
}


def _file(data: RunData) -> Path:
    return data.engines / "form.json"
