"""The table of documented entities in MongoDB: one document each, with its outbox.

A claim is a lease: `lease_token` is replaced by compare-and-set, and only the claim
with the current token may finish. A restarted process takes back its own leases, which
have its owner's name; others take over a lease whose `lease_until` stays the same.
"""

import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from services.techdocs.model import (
    CHANGED,
    DocsFolder,
    Documented,
    Failed,
    Outcome,
)
from services.techdocs.store.announcements import announcement, withdrawal
from services.techdocs.store.collection import SITES
from services.techdocs.store.documents import Document, documented, entity_fields
from services.techdocs.store.outcomes import (
    NO_SITE,
    SITE_LISTED,
    Retention,
    done_fields,
    outcome_fields,
)
from shared.contracts.errors import Unavailable
from shared.contracts.gateway import push_key
from shared.contracts.trace import TRACE_FIELDS
from shared.kit.documents.leases import LeaseWatch
from shared.kit.documents.migrations import prepare
from shared.kit.documents.mongo import Collection, counted, unavailable_as_error
from shared.kit.events import outbox
from shared.kit.observability import tracing

LEASE_SECONDS = 60.0
ATTEMPTS = 10
BUILT: Document = {"built_at": {"$gt": 0}}
#: Every record has the field.
NOT_GONE: Document = {"gone": False}


class MongoRecords:
    """The Records of this service; `nudge` wakes the relay after a write.

    `keep_last` and `keep_days` say which earlier sites stay published. `per_repository`
    is how many claims of this process may be of one repository: its neighbours build
    meanwhile, however many sites it has.
    """

    def __init__(
        self,
        collection: Collection,
        owner: str,
        *,
        nudge: Callable[[], None],
        keep_last: int = 3,
        keep_days: float = 7,
        per_repository: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = LeaseWatch(LEASE_SECONDS, clock)
        self._all = collection
        self._owner = owner
        self._nudge = nudge
        self._retention = Retention(keep_last, keep_days)
        self._claims: dict[str, str] = {}
        #: When each claim began, in seconds since 1970.
        self._begin_times: dict[str, float] = {}
        self._per_repository = per_repository
        #: The repository of every claim, and of the latest one.
        self._repositories: dict[str, str] = {}
        self._latest = ""

    async def prepare(self) -> None:
        """Bring the table to this version's shape, and make its indexes."""
        database: Any = self._all.database
        await prepare(database, [replace(SITES, name=self._all.name)])

    async def get(self, ref: str) -> Documented | None:
        with unavailable_as_error(self._all):
            document = await self._all.find_one({"_id": ref})
        return documented(document) if document and not document.get("gone") else None

    async def documented_among(self, refs: Sequence[str]) -> dict[str, Documented]:
        with unavailable_as_error(self._all):
            documents = await self._all.find({"_id": {"$in": list(refs)}}).to_list(None)
        return {
            item["_id"]: documented(item) for item in documents if not item.get("gone")
        }

    async def remember(self, record: Documented) -> bool:
        fields = entity_fields(record)
        newer = {"_id": record.ref, "revision": {"$lt": record.revision}}
        with unavailable_as_error(self._all):
            for filters in (newer, {"_id": record.ref, "gone": True}):
                done = await self._all.update_one(
                    filters, {"$set": {**fields, "gone": False}}
                )
                if done.matched_count:
                    return True
            fresh: Document = {"due": 0, "asked": 0, "tries": 0}
            fresh |= {"lease_token": "", "gone": False, "pending": []}
            try:
                await self._all.insert_one({"_id": record.ref, **fields, **fresh})
            except DuplicateKeyError:
                return False
        return True

    async def forget(self, ref: str, revision: int | None) -> None:
        for _ in range(ATTEMPTS):
            with unavailable_as_error(self._all):
                document = await self._all.find_one({"_id": ref, **NOT_GONE})
                if document is None:
                    return
                if revision is not None and document["revision"] > revision:
                    return
                if await self._withdraw(document):
                    break
        self._nudge()

    async def _withdraw(self, document: Document) -> bool:
        """Clear a record, with an event; False if it was changed meanwhile."""
        same = _unchanged(document)
        if not document.get("current") and not document["pending"]:
            return bool((await self._all.delete_one(same)).deleted_count)
        fields: Document = {"gone": True, "due": 0, "lease_token": ""}
        fields |= {**NO_SITE, "failure": None, "repository": None}
        if document.get("current"):
            event = withdrawal(documented(document))
            fields |= outbox.pending_fields([*document["pending"], event])
        update = {"$set": fields, "$unset": SITE_LISTED}
        return bool((await self._all.update_one(same, update)).matched_count)

    async def of_repository(self, key: str) -> list[tuple[Documented, str, str]]:
        with unavailable_as_error(self._all):
            documents = await self._all.find({"repository": push_key(key)}).to_list(
                None
            )
        return [
            (documented(item), item.get("branch") or "", item.get("folder") or "")
            for item in documents
            if item.get("exact_repository") in (None, key)
        ]

    async def built_from(self, key: str) -> list[str]:
        with unavailable_as_error(self._all):
            sites = self._all.find({"site_repository": push_key(key)}, {"_id": 1})
            return [item["_id"] async for item in sites]

    async def located(self, ref: str, place: DocsFolder | None) -> None:
        key = place.repository_key if place else None
        fields = {
            "repository": push_key(key) if key else None,
            # Only where the host tells names apart by case.
            "exact_repository": None if place and place.folds_case else key,
            "branch": place.ref if place else None,
            "folder": place.folder if place else None,
        }
        with unavailable_as_error(self._all):
            await self._all.update_one({"_id": ref}, {"$set": fields})

    async def on_this_machine(self) -> list[str]:
        with unavailable_as_error(self._all):
            local = {"source.kind": "dir", **NOT_GONE}
            documents = await self._all.find(local, {"_id": 1}).to_list(None)
        return [item["_id"] for item in documents]

    async def ask(
        self, refs: Sequence[str], due: int, *, rights_changed: bool = False
    ) -> None:
        now = time.time()
        filters: Document = {"_id": {"$in": list(refs)}, **NOT_GONE}
        fields: Document = {
            "due": due,
            "asked_at": now,
            "not_before": now,
            "tries": 0,
        }
        fields |= dict.fromkeys(TRACE_FIELDS) | tracing.fields()
        if rights_changed:
            fields["rights_changed"] = now
        again = {"$inc": {"asked": 1}}
        with unavailable_as_error(self._all):
            if due != CHANGED:
                # What is under way may have read the source already: a check is due
                # after it. What is due and not begun stays so, with its pause.
                claimed = {"due": {"$ne": 0}, "lease_token": {"$ne": ""}}
                update = {"$set": {"due": due}, **again}
                await self._all.update_many({**filters, **claimed}, update)
                filters["due"] = 0
            await self._all.update_many(filters, {"$set": fields, **again})

    async def claim(self) -> Documented | None:
        claims = Counter(self._repositories.values())
        full = {key for key, count in claims.items() if count >= self._per_repository}
        busy = {*claims, self._latest} - {""}
        # Repositories take turns: those without a build under way come first.
        for passed_over in (busy, full) if busy else (full,):
            record = await self._claim(passed_over)
            if record is not None:
                return record
        self._latest = ""
        return None

    async def _claim(self, passed_over: set[str]) -> Documented | None:
        now = time.time()
        due: Document = {"due": {"$gt": 0}, "not_before": {"$lte": now}}
        if passed_over:
            due["repository"] = {"$nin": sorted(passed_over)}
        with unavailable_as_error(self._all):
            # The search goes on only past records that others have claimed.
            documents = self._all.find(due).sort([("due", 1), ("asked_at", 1)])
            async for item in documents:
                if self._is_free(item) and await self._take(item, now):
                    return documented(item)
        return None

    def _is_free(self, item: Document) -> bool:
        ref, token = item["_id"], item.get("lease_token")
        if not token or ref in self._claims:
            return ref not in self._claims
        is_over = self._watch.is_over(ref, (token, item["lease_until"]))
        return is_over or item["lease_by"] == self._owner

    async def _take(self, item: Document, now: float) -> bool:
        token = uuid.uuid4().hex
        lease = {"lease_token": token, "lease_by": self._owner}
        same = {"_id": item["_id"], "lease_token": item.get("lease_token", "")}
        if same["lease_token"]:
            same["lease_until"] = item["lease_until"]
        done = await self._all.update_one(
            same,
            {"$set": {**lease, "lease_until": now + LEASE_SECONDS}},
        )
        if done.matched_count:
            self._claims[item["_id"]], self._begin_times[item["_id"]] = token, now
            self._latest = item.get("repository") or ""
            if self._latest:
                self._repositories[item["_id"]] = self._latest
        return bool(done.matched_count)

    def _let_go(self, ref: str) -> None:
        self._claims.pop(ref, None)
        self._begin_times.pop(ref, None)
        self._repositories.pop(ref, None)

    async def renew(self, ref: str) -> bool:
        until = time.time() + LEASE_SECONDS
        claim = {"_id": ref, "lease_token": self._claims.get(ref, "nobody")}
        with unavailable_as_error(self._all):
            done = await self._all.update_one(claim, {"$set": {"lease_until": until}})
        return bool(done.matched_count)

    async def postpone(self, record: Documented, seconds: float) -> None:
        token = self._claims.get(record.ref, "nobody")
        later = time.time() + seconds
        try:
            with unavailable_as_error(self._all):
                await self._all.update_one(
                    {"_id": record.ref, "lease_token": token},
                    {
                        "$set": {
                            "not_before": later,
                            "lease_token": "",
                            "waiting_since": record.waiting_since or time.time(),
                        },
                        "$inc": {"tries": 1},
                    },
                )
        finally:
            self._let_go(record.ref)

    async def with_changed_rights(self) -> list[Documented]:
        marked = {"rights_changed": {"$gt": 0}, **BUILT}
        with unavailable_as_error(self._all):
            return [documented(item) async for item in self._all.find(marked)]

    async def take_down(self, record: Documented) -> None:
        for _ in range(ATTEMPTS):
            with unavailable_as_error(self._all):
                document = await self._all.find_one({"_id": record.ref})
                stored = documented(document) if document else None
                if not (document and stored and stored.current and record.current):
                    return
                if stored.current.site != record.current.site:
                    return
                fields = outbox.pending_fields(
                    [*document["pending"], withdrawal(stored)]
                )
                update = {"$set": {**NO_SITE, **fields}, "$unset": SITE_LISTED}
                done = await self._all.update_one(_unchanged(document), update)
            if done.matched_count:
                self._nudge()
                return
        raise Unavailable(f"The record of {record.ref} does not hold still")

    async def finish(self, record: Documented, outcome: Outcome) -> bool:
        token = self._claims.get(record.ref, "nobody")
        begun_at = self._begin_times.get(record.ref, 0.0)
        try:
            with unavailable_as_error(self._all):
                for _ in range(ATTEMPTS):
                    claim = {"_id": record.ref, "lease_token": token}
                    document = await self._all.find_one(claim)
                    if document is None:
                        return False
                    stored = documented(document)
                    fields = {"lease_token": "", "looked_at": time.time()}
                    fields |= outcome_fields(stored, outcome, self._retention)
                    if stored.requests == record.requests:
                        # With a request since its claim, the record stays due.
                        fields |= done_fields(stored, begun_at)
                    event = announcement(stored, outcome)
                    if event is not None:
                        fields |= outbox.pending_fields([*document["pending"], event])
                    update: Document = {"$set": fields}
                    if isinstance(outcome, Failed) and outcome.withdraws:
                        update["$unset"] = SITE_LISTED
                    done = await self._all.update_one(_unchanged(document), update)
                    if done.matched_count:
                        self._nudge()
                        return True
        finally:
            self._let_go(record.ref)
        raise Unavailable(f"The record of {record.ref} does not hold still")

    async def each(self) -> AsyncIterator[Documented]:
        with unavailable_as_error(self._all):
            async for item in self._all.find(dict(NOT_GONE)):
                yield documented(item)

    async def listed(self) -> AsyncIterator[Documented]:
        with unavailable_as_error(self._all):
            async for item in self._all.find(dict(BUILT)).sort("built_at", -1):
                yield documented(item)
            async for item in self._all.find({**NOT_GONE, "alias": None}):
                if not item.get("built_at"):
                    yield documented(item)

    async def failed(self, limit: int) -> list[Documented]:
        filters = {"failure.at": {"$gt": 0}}
        with unavailable_as_error(self._all):
            newest = self._all.find(filters).sort("failure.at", -1).limit(limit)
            return [documented(item) for item in await newest.to_list(limit)]

    async def published(self) -> list[tuple[str, str]]:
        with unavailable_as_error(self._all):
            documents = self._all.find(dict(BUILT), {"site": 1})
            return [(item["_id"], item["site"]) async for item in documents]

    async def used_sites(self) -> set[str]:
        used: set[str] = set()
        fields = {"site": 1, "history": 1}
        with unavailable_as_error(self._all):
            async for item in self._all.find({}, fields):
                used |= {earlier["site"] for earlier in item.get("history") or ()}
                used.add(item.get("site") or "")
        return used

    async def stale(self, before: datetime) -> list[str]:
        filters = {"looked_at": {"$lt": before.timestamp()}, "due": 0, **NOT_GONE}
        with unavailable_as_error(self._all):
            documents = (
                await self._all.find(filters, {"_id": 1}).limit(500).to_list(500)
            )
        return [item["_id"] for item in documents]

    async def purge(self) -> None:
        with unavailable_as_error(self._all):
            await self._all.delete_many({"gone": True, "unsent": {"$exists": False}})

    async def waiting(self) -> int:
        """The number of entities that are due, as `mongo.counted` counts."""
        with unavailable_as_error(self._all):
            return await counted(self._all, {"due": {"$gt": 0}})


def _unchanged(document: Document) -> Document:
    """A filter that matches until the document is requested, published or claimed."""
    filters: Document = {
        key: document[key]
        for key in ("_id", "revision", "asked", "lease_token", "gone")
    }
    return {**filters, "pending": {"$size": len(document["pending"])}}
