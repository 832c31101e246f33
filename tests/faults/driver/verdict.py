"""What became of it: the ledger's claims held against the portal and its stores."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
from pymongo import MongoClient

from shared.kit.events.outbox import UNSENT
from tests.e2e.running import SERVICE, Portal
from tests.faults.driver.host import GitHost
from tests.faults.driver.ledger import Ledger, Registered
from tests.faults.driver.recorder import Recorder
from tests.faults.victims import read_checksums

SETTLE_SECONDS = 180.0
STEP_SECONDS = 0.5
OUTBOXES = {"catalog": "entities", "scaffolder": "tasks", "techdocs": "sites"}
ENDED = ("completed", "failed", "cancelled")


class Verdict:
    """Asks until everything is as it must be, or time is over."""

    def __init__(
        self,
        portal: Portal,
        host: GitHost,
        ledger: Ledger,
        recorder: Recorder,
        documents: str,
    ) -> None:
        self._portal = portal
        self._host = host
        self._ledger = ledger
        self._recorder = recorder
        self._documents = documents

    def reach(self) -> dict[str, float]:
        """Let everything settle; what is wrong then is in the ledger.

        The seconds that each thing took to be as it must be.
        """
        took: dict[str, float] = {}
        self._wait(took, "deliveries", self._undelivered)
        self._settle()
        self._wait(took, "outboxes", self._unsent)
        self._wait(took, "entities", lambda: list(self._wrong_entities()))
        self._wait(took, "documentation", self._wrong_docs)
        self._wait(took, "runs", self._unfinished)
        self._wait(took, "checksums", self._differing)
        self._wait(took, "dead letters", self._letters)
        self._check_runs()
        self._check_history()
        return took

    def _wait(
        self, took: dict[str, float], title: str, wrong: Callable[[], list[str]]
    ) -> None:
        started_at = time.monotonic()
        problems = ["not asked"]
        while problems and time.monotonic() - started_at < SETTLE_SECONDS:
            try:
                problems = wrong()
            except (httpx.HTTPError, KeyError, ValueError) as error:
                problems = [f"{title}: {error!r}"]
            if problems:
                time.sleep(STEP_SECONDS)
        took[title] = time.monotonic() - started_at
        for item in problems:
            self._ledger.lose(f"{title}: {item}")

    def _undelivered(self) -> list[str]:
        return [] if self._host.settled() else ["deliveries are still waiting"]

    def _settle(self) -> None:
        """Ask again for what was never answered, until it is."""
        client = self._portal.as_(SERVICE)
        for location in self._ledger.registered:
            if location.unsure:
                deadline = time.monotonic() + SETTLE_SECONDS
                while not self._settled(client, location):
                    if time.monotonic() > deadline:
                        self._ledger.lose(f"{location.target} cannot be settled")
                        break
                    time.sleep(STEP_SECONDS)

    @staticmethod
    def _settled(client: httpx.Client, location: Registered) -> bool:
        with suppress(httpx.HTTPError):
            if location.deleted:
                path = f"/api/catalog/locations/{location.id}"
                return client.delete(path).status_code in (204, 404)
            body = {"type": "url", "target": location.target}
            answer = client.post(
                "/api/catalog/locations?onConflict=refresh", json=body, timeout=60
            )
            return answer.status_code == 201
        return False

    def _unsent(self) -> list[str]:
        with self._stores() as client:
            counts = {
                service: client[f"callboard_{service}"][name].count_documents(UNSENT)
                for service, name in OUTBOXES.items()
            }
        return [f"{n} documents of the {name}" for name, n in counts.items() if n]

    def _wrong_entities(self) -> Iterator[str]:
        for pushed in self._ledger.pushed.values():
            for ref in pushed.refs:
                yield from self._wrong(ref, pushed.text)
        for location in self._ledger.registered:
            for ref in location.refs:
                yield from self._wrong(ref, None if location.deleted else location.text)

    def _wrong(self, ref: str, text: str | None) -> Iterator[str]:
        entity = self._portal.known(ref)
        says = entity["metadata"].get("description") if entity else None
        if says != text:
            yield f"{ref} says {says!r}, not {text!r}"

    def _wrong_docs(self) -> list[str]:
        client, problems = self._portal.as_(SERVICE), []
        for pushed in self._ledger.pushed.values():
            path = f"/api/techdocs/static/docs/default/component/{pushed.name}-0/"
            if pushed.docs and f"{pushed.docs}<" not in client.get(path).text:
                problems.append(
                    f"the site of {pushed.name} does not say {pushed.docs!r}"
                )
        return problems

    def _unfinished(self) -> list[str]:
        problems = []
        for task in self._ledger.runs:
            state = self._portal.get(f"/api/scaffolder/v2/tasks/{task}")
            if state["status"] not in ENDED:
                problems.append(f"{task} is {state['status']}")
        return problems

    def _differing(self) -> list[str]:
        checksums = read_checksums(self._portal)
        sums = {
            "search's entities": checksums["search"]["entities"]
            == checksums["catalog"],
            "search's sites": checksums["search"]["sites"] == checksums["sites"],
            "the catalog's store": self._stored() == checksums["catalog"],
        }
        return [
            f"{name} differ: {checksums}" for name, equal in sums.items() if not equal
        ]

    def _stores(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(self._documents)

    def _stored(self) -> dict[str, Any]:
        """The catalog's checksum, made from its documents."""
        total = count = 0
        with self._stores() as client:
            entities = client["callboard_catalog"]["entities"]
            for document in entities.find({"deleted": False}, {"revision": 1}):
                text = f"{document['_id']}@{document['revision']}".encode()
                digest = hashlib.blake2b(text, digest_size=8).digest()
                total ^= int.from_bytes(digest, "big")
                count += 1
        return {"count": count, "checksum": f"{total:016x}"}

    def _letters(self) -> list[str]:
        strange = [
            letter
            for letter in self._recorder.dead
            if not any(planted in letter for planted in self._ledger.planted)
        ]
        if strange:
            return [f"a dead letter nobody planted: {s[:300]}" for s in strange]
        missing = [
            planted
            for planted in self._ledger.planted
            if not any(planted in letter for letter in self._recorder.dead)
        ]
        if self._recorder.deaths:
            return []  # the embedded log forgot what was planted, too
        return [f"{planted} was not put among the dead" for planted in missing]

    def _check_runs(self) -> None:
        for task, name in self._ledger.runs.items():
            state = self._portal.get(f"/api/scaffolder/v2/tasks/{task}")
            if state["status"] != "completed":
                lines = self._portal.get(f"/api/scaffolder/v2/tasks/{task}/events")
                messages = [line["body"]["message"] for line in lines][-4:]
                self._ledger.lose(f"the run {task} {state['status']}: {messages}")
                continue
            commits = self._host.bare(name).git("rev-list", "--count", "main")
            if commits != "1":
                self._ledger.doubled.append(f"{name} has {commits} commits")
            if self._portal.known(f"component:default/{name}") is None:
                self._ledger.lose(f"{name} of the run {task} is not in the catalog")

    def _check_history(self) -> None:
        """Revisions without gap, no commit twice, each revision told, by one event."""
        with self._stores() as client:
            database = client["callboard_catalog"]
            revisions = {
                document["_id"]
                for document in database["revisions"].find({}, {"_id": 1})
            }
            newest = {
                document["_id"]: int(document["revision"])
                for document in database["entities"].find({}, {"revision": 1})
            }
        for ref, last in newest.items():
            for number in range(1, last + 1):
                if f"{ref}@{number}" not in revisions:
                    self._ledger.lose(f"the revision {ref}@{number} was not kept")
                if (
                    not self._recorder.event_ids[ref, number]
                    and not self._recorder.deaths
                ):
                    self._ledger.lose(f"the event of {ref}@{number} was never told")
        for (ref, number), ids in self._recorder.event_ids.items():
            if len(ids) > 1:
                self._ledger.doubled.append(f"{ref}@{number} was told as {len(ids)}")
        for pushed in self._ledger.pushed.values():
            self._check_commits(pushed.refs[0])

    def _check_commits(self, ref: str) -> None:
        kind, _, rest = ref.partition(":")
        path = f"/api/catalog/entities/by-name/{kind}/{rest}/history"
        commits: Counter[str] = Counter()
        cursor: dict[str, str] = {}
        while True:
            page = self._portal.get(path, limit=100, **cursor)
            commits.update(str(item["cause"].get("commit")) for item in page["items"])
            following = page["pageInfo"].get("nextCursor")
            if not following:
                break
            cursor = {"cursor": following}
        for commit, times in commits.items():
            if times > 1:
                self._ledger.doubled.append(f"{ref} has {commit} {times} times")
