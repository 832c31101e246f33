"""The `callboard` command as scripts use it: JSON, exit codes, state that stays."""

import json
import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import pytest

from deploy.embedded.rundata import SERVICES
from tests.e2e.running import SERVICE, Portal, eventually, push, replaced
from tests.e2e.system import ROOT, System, working_copy

PAYMENTS = ROOT / "deploy/examples/playhouse/repositories/payments"
PAYMENTS_REF = "component:default/payments"
PUSHED, UPDATED = "callboard.repository.pushed.v1", "callboard.entity.updated.v1"
GOOD = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
  description: Kept for {name}
spec:
  type: service
  lifecycle: production
  owner: somebody
"""


class Following:
    """What a command says that runs until it is stopped."""

    def __init__(self, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        self.lines.extend(self._process.stdout or ())

    def __enter__(self) -> Self:
        self._reading.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._reading.join(10)

    def says(self, words: str) -> bool:
        """Whether it said this; fails if it ended."""
        output = "".join(self.lines)
        assert self._process.poll() is None, output
        return words in output

    def events(self) -> list[dict[str, Any]]:
        """Each line as JSON."""
        return [json.loads(line) for line in list(self.lines)]


def test_status_reports_every_service(system: Portal) -> None:
    """Exit code 0, and every service ready, for people and for scripts."""
    status = json.loads(system.command("status", "--json"))
    assert status["status"] == "ok"
    names = [service["name"] for service in status["services"]]
    assert sorted(names) == sorted(SERVICES)
    assert all(service["ready"] for service in status["services"])
    assert "scaffolder" in system.command("status")


def test_status_without_a_portal_says_how_to_start(tmp_path: Path) -> None:
    """Exit code 3 differs from that of a failing portal."""
    empty_system = System(tmp_path, 0)
    empty_system.command("status", "--json", expected=3)
    assert "Nothing was running" in empty_system.command("down")


def validate(path: Path, *words: str) -> tuple[int, str]:
    """Exit code and output of `callboard validate`."""
    command = [sys.executable, "-m", "deploy.cli", "validate", str(path), *words]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_validate_accepts_the_example(tmp_path: Path) -> None:
    """Exit code 0 and one line for each descriptor; no portal is needed."""
    code, out = validate(PAYMENTS, "--json")
    assert code == 0
    refs = [finding["ref"] for finding in json.loads(out)]
    assert "component:default/payments" in refs
    assert validate(PAYMENTS)[0] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.format(name="'a b'"), "metadata.name: "),
        (GOOD.format(name="x").replace("  owner: somebody\n", ""), "spec.owner: "),
        (GOOD.format(name="x").replace("Component", "Komponent"), "kind: "),
        ("kind: [\n", "YAML error: "),
    ],
)
def test_validate_names_field_and_rule(tmp_path: Path, text: str, words: str) -> None:
    """Exit code 1, with the field and the mistake."""
    file = tmp_path / "catalog-info.yaml"
    file.write_text(text)
    code, out = validate(file, "--json")
    assert code == 1
    (finding,) = json.loads(out)
    assert words in finding["error"]


def test_the_events_command_shows_a_push(system: Portal) -> None:
    """One line of JSON for each event; a filter selects events."""
    words = ("-m", "deploy.cli", "events", "--data", str(system.data), "--json")
    one = ("--topic", "entity-changed", "--entity", PAYMENTS_REF)
    copy = working_copy(system, "payments")
    with Following(*words) as every, Following(*words, *one) as filtered:

        def heard() -> bool:
            # The streams begin at some moment after the commands: push until then.
            fresh = f"zq{secrets.token_hex(4)}"
            entity = system.known(PAYMENTS_REF) or {}
            before = str(entity["metadata"]["description"])
            files = replaced(copy, "catalog-info.yaml", before, f"Takes money {fresh}")
            push(copy, files, f"Say {fresh}")
            eventually(
                lambda: fresh in str(system.known(PAYMENTS_REF)), "the push arrives"
            )
            is_heard = all(one.says("Say zq") for one in (every, filtered))
            return is_heard and every.says(PUSHED)

        eventually(heard, "both commands say what was pushed")
        types = {event["type"] for event in every.events()}
        assert {PUSHED, UPDATED} <= types
        assert {event["subject"] for event in filtered.events()} == {PAYMENTS_REF}


def test_rebuild_search_verifies_the_new_index(system: Portal) -> None:
    """The new index has the checksums of the live one."""
    proof = json.loads(system.command("rebuild", "search", "--json"))
    assert proof["equal"] is True
    for part in ("entities", "sites"):
        assert proof[part] == proof["live"][part]
        assert proof[part]["count"] > 0
    assert proof["entities"]["count"] == system.count()


def test_the_example_consumer_reads_all_topics(system: Portal) -> None:
    """Thirty lines that read the three topics from Kafka."""
    consumer = ("deploy/examples/consumer.py", str(system.data))
    with Following(*consumer) as counting:
        eventually(lambda: counting.says("entity.created"), "entities are counted")
        eventually(lambda: counting.says("site.built"), "sites are counted")
        body = {
            "templateRef": "template:default/documentation-site",
            "values": {
                "name": f"counted-{secrets.token_hex(3)}",
                "title": "Counted",
                "owner": "group:default/money",
            },
        }
        answer = system.as_(SERVICE).post("/api/scaffolder/v2/tasks", json=body)
        answer.raise_for_status()
        eventually(lambda: counting.says("run.completed"), "runs are counted")
