"""Each server forgets nothing: stopped, or killed, and started where it was."""

import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from confluent_kafka import Consumer, Producer
from pymongo import MongoClient

from deploy.engines import documents, kafka, opensearch, processes, toxiproxy
from deploy.engines import opa as opa_server
from deploy.engines.engine import Engine, EngineFailed
from tests.waiting import until_now

pytestmark = pytest.mark.usefixtures("servers")
Start = Callable[..., Engine]


@contextmanager
def started(start: Start, folder: Path, **more: Any) -> Iterator[Engine]:
    engine = start(folder / "data", folder / "log", **more)
    try:
        yield engine
    finally:
        engine.stop()


def produce(engine: Engine) -> None:
    producer = Producer(kafka.settings(engine.server))
    failed: list[Any] = []
    for number in range(100):
        producer.produce(
            "kept", str(number), on_delivery=lambda error, _: failed.append(error)
        )
    assert producer.flush(20) == 0
    assert failed == [None] * 100


def consume(engine: Engine) -> int:
    settings = {**kafka.settings(engine.server), "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "group.id": secrets.token_hex(8)})
    consumer.subscribe(["kept"])
    values: set[bytes] = set()

    def all_here() -> bool:
        values.update(message.value() for message in consumer.consume(100, 0.2))
        return len(values) == 100

    until_now(all_here, "a hundred messages")
    consumer.close()
    return len(values)


def store(engine: Engine) -> None:
    with MongoClient[dict[str, Any]](engine.address) as client:
        things = client["test"]["things"]
        things.create_index("name", unique=True)
        things.insert_many([{"_id": n, "name": f"n{n}"} for n in range(100)])


def stored(engine: Engine) -> int:
    with MongoClient[dict[str, Any]](engine.address) as client:
        things = client["test"]["things"]
        assert "name_1" in things.index_information()
        assert things.find_one({"name": "n99"}) == {"_id": 99, "name": "n99"}
        return things.count_documents({})


def asked(engine: Engine, method: str, path: str, body: str = "") -> Any:
    connection = http.client.HTTPConnection(urlsplit(engine.address).netloc, timeout=20)
    headers = {"Content-Type": "application/x-ndjson"}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    response = json.loads(answer.read())
    connection.close()
    assert answer.status < 300, response
    return response


def index(engine: Engine) -> None:
    lines = "".join(f'{{"index":{{"_id":{n}}}}}\n{{"n":{n}}}\n' for n in range(100))
    assert not asked(engine, "POST", "/kept/_bulk", lines)["errors"]


def indexed(engine: Engine) -> int:
    def count() -> int:
        asked(engine, "POST", "/kept/_refresh")
        return int(asked(engine, "GET", "/kept/_count")["count"])

    asked(engine, "GET", "/_cluster/health/kept?wait_for_status=yellow&timeout=20s")
    return count()


def policies(engine: Engine) -> int:
    return 100 if asked(engine, "GET", "/v1/policies")["result"] else 0


KEEPERS = {
    "broker": (kafka.start, produce, consume),
    "documents": (documents.start, store, stored),
    "opensearch": (opensearch.start, index, indexed),
    "opa": (opa_server.start, policies, policies),
}


@pytest.mark.parametrize("name", KEEPERS)
@pytest.mark.timeout(300)
def test_a_server_keeps_its_data_over_restarts(name: str, tmp_path: Path) -> None:
    """Killed, then stopped, then started again at the same port."""
    start, fill, count = KEEPERS[name]
    more = {"auto_create": True} if name == "broker" else {}
    with started(start, tmp_path, **more) as engine:
        fill(engine)
        before = engine.address
        os.kill(engine.process.pid, signal.SIGKILL)
        engine.process.wait()
    for _ in range(2):
        with started(start, tmp_path, **more) as engine:
            assert engine.address == before
            assert count(engine) == 100


def test_a_proxy_forwards_and_cuts_connections(tmp_path: Path, opa: str) -> None:
    """Toxiproxy forwards as configured, and cuts when told to."""
    with started(toxiproxy.start, tmp_path) as engine:
        port = processes.quiet_port()
        listen, upstream = f"127.0.0.1:{port}", urlsplit(opa).netloc
        proxy = {"name": "opa", "listen": listen, "upstream": upstream, "enabled": True}
        asked(engine, "POST", "/proxies", json.dumps(proxy))
        front = Engine("opa", engine.process, f"http://{listen}")
        assert asked(front, "GET", "/health") == {}
        asked(engine, "POST", "/proxies/opa", json.dumps({**proxy, "enabled": False}))
        with pytest.raises(ConnectionRefusedError):
            asked(front, "GET", "/health")


def test_a_port_of_another_process_is_refused(tmp_path: Path, opa: str) -> None:
    """It is not taken for the engine's own, although it answers."""
    port = urlsplit(opa).port
    with pytest.raises(EngineFailed, match=f"port {port} .* in use"):
        opa_server.start(tmp_path, tmp_path / "log", port=port)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """Its log file and the last lines are in the message, and it does not stay."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "wrong.rego").write_text("package wrong\n\nallow if {")
    log = tmp_path / "log"
    with pytest.raises(EngineFailed, match=r"(?s)OPA ended with 1; see .*wrong\.rego"):
        opa_server.start(tmp_path, log, policies=tmp_path / "policies")


def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Even if that process is killed."""
    program = (
        "import pathlib, sys\n"
        "from deploy.engines import toxiproxy\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "engine = toxiproxy.start(folder, folder / 'log')\n"
        "print(engine.process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    until_now(lambda: not alive(pid), "its end")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
