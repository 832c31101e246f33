"""Reads a root and all that it leads to; an unchanged file costs a hash.

Yields one `TargetReading` per target. `services.catalog.planning` decides what follows
for existing entities and other roots; nothing is stored here.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.catalog.handlers.effort import Effort
from services.catalog.handlers.including import IncludedContents, include
from services.catalog.handlers.source_rights import Admission
from services.catalog.ingest import placeholders
from services.catalog.ingest.candidates import (
    Candidate,
    Context,
    candidate,
)
from services.catalog.ingest.location_targets import targets_of
from services.catalog.ingest.problems import (
    FILE_ITEMS,
    SKELETON,
    BrokenFile,
    failure_item,
    items_of_file,
    refused_name_items,
)
from services.catalog.ingest.refusals import (
    Refusal,
    broken_fields,
    owner_named_by,
    path_of,
    paths_of,
)
from services.catalog.ingest.restriction import may_ask_to_be_restricted
from services.catalog.ingest.rules import Rules
from services.catalog.model import (
    FileState,
    LocationRef,
    RootLocation,
    StatusItemJson,
    TargetKey,
)
from services.catalog.planning.reading import Target, TargetReading
from services.catalog.planning.view import CatalogView
from services.catalog.ports import FetchedFile, SourceSnapshot
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, Invalid, NotFound
from shared.guards.budgets import BudgetExceeded
from shared.guards.yaml_lines import DocumentLines, locate
from shared.guards.yaml_text import load_documents

AT_ONCE = 4
TARGET_LIMIT = 20_000
#: Targets that Location entities name in one reading, also those that are met again.
NAMED_LIMIT = 50_000
#: How many of them are looked up between two turns of others.
TURN = 50


class Walk:
    """One reading of a root: all of it, or some targets and what is below them."""

    def __init__(
        self,
        root: RootLocation,
        sources: SourceSnapshot,
        rules: Rules,
        state: CatalogView | None,
        admission: Admission,
        *,
        effort: Effort,
    ) -> None:
        self._root = root
        self._sources = sources
        self._rules = rules
        self._state = state
        self._admission = admission
        self._visited_keys: set[TargetKey] = set()
        self._named = 0
        self._effort = effort
        #: The targets that each Location entity names now, if all of them are known.
        self.named: dict[str, set[TargetKey]] = {}
        #: Location entities whose patterns could not be resolved: their targets stay.
        self.uncertain: set[str] = set()
        self._trusts_states = state is not None and root.rules == rules.fingerprint

    async def whole(self) -> AsyncIterator[TargetReading]:
        """Everything, from the root's own target down."""
        start = Target(self._root.location.entity_ref, self._root.location)
        targets = await self._spread(start)
        self.named[start.parent] = {target.key for target in targets}
        async for reading in self.below(targets, deep=True):
            yield reading

    async def below(
        self, targets: Collection[Target], *, force: bool = False, deep: bool = False
    ) -> AsyncIterator[TargetReading]:
        """These targets and what they newly lead to; `deep`: all they lead to."""
        queue = deque(self._new(targets))
        while queue:
            batch = [queue.popleft() for _ in range(min(AT_ONCE, len(queue)))]
            readings = await asyncio.gather(*(self._examine(t, force) for t in batch))
            for reading in readings:
                yield reading
                if reading.is_unchanged and not deep:
                    continue
                for ref, entity in self._locations(reading):
                    targets = await self._targets(ref, entity, reading)
                    queue.extend(self._new(targets))

    def _new(self, targets: Collection[Target]) -> list[Target]:
        new_targets = [
            target for target in targets if target.key not in self._visited_keys
        ]
        self._visited_keys.update(target.key for target in new_targets)
        if len(self._visited_keys) > TARGET_LIMIT:
            raise Invalid(
                f"{self._root.location}: leads to over {TARGET_LIMIT} targets"
            )
        return new_targets

    async def _spread(self, target: Target) -> list[Target]:
        """A target that is a pattern is as many as match it now."""
        try:
            await self._require_admitted(target)
            self._effort.check()
            compute = self._effort.compute
            locations = await self._sources.matching(target.location, compute)
            if target.location != target.origin:
                # A pattern means the other files, also where its own fits it.
                locations = [
                    location for location in locations if location != target.origin
                ]
        except CallboardError as error:
            self.uncertain.add(target.parent)
            return [replace(target, error=error)]
        if not locations and not target.optional:
            no_match = NotFound(f"Nothing matches {target.location.target}")
            return [replace(target, error=no_match)]
        return [replace(target, location=location) for location in locations]

    def _locations(self, reading: TargetReading) -> list[tuple[str, Entity]]:
        """The Location entities in a file, from it or, unchanged, from memory."""
        if reading.is_missing:
            entities = {}
        elif not reading.is_unchanged and reading.error is None:
            entities = {item.ref: item.entity for item in reading.candidates}
        elif self._state is not None:
            refs = self._state.emitted(*reading.target.key)
            states = (self._state.get(ref) for ref in sorted(refs))
            entities = {
                state.ref: state.entity for state in states if state is not None
            }
        else:
            entities = {}
        return [
            (ref, entity)
            for ref, entity in entities.items()
            if entity.kind == "Location"
        ]

    async def _targets(
        self, ref: str, entity: Entity, reading: TargetReading
    ) -> list[Target]:
        kind, texts, optional = targets_of(entity)
        targets: list[Target] = []
        base = reading.target.location
        for text in texts:
            broken_location = LocationRef(kind or base.type, text)
            try:
                await self._count_named()
                location = self._sources.resolve(base, text, kind)
            except BudgetExceeded as error:
                self.uncertain.add(ref)
                targets.append(Target(ref, broken_location, error=error))
                break
            except CallboardError as error:
                targets.append(Target(ref, broken_location, optional, error))
            else:
                target = Target(ref, location, optional, origin=base)
                targets += await self._spread(target)
        self.named[ref] = {target.key for target in targets}
        return targets

    async def _count_named(self) -> None:
        """Count a target, and let others have their turn.

        Raises:
            BudgetExceeded: if they are too many: the same ones may be named for ever.
        """
        self._named += 1
        if self._named > NAMED_LIMIT:
            raise BudgetExceeded(
                f"{self._root.location}: names over {NAMED_LIMIT} targets"
            )
        if self._named % TURN == 0:
            await asyncio.sleep(0)

    async def _examine(self, target: Target, force: bool) -> TargetReading:
        state = self._root.files.get(target.key)
        trusted_state = None if force or not self._trusts_states else state
        try:
            if target.error is not None:
                raise target.error
            self._effort.check()
            await self._require_admitted(target)
            if self._state is None and not await self._admission.is_shown(
                target.location
            ):
                # A dry run leaves out files that the reader may not see.
                state = FileState(target.parent, str(target.location), digest=None)
                return TargetReading(target, state)
            return await self._read(target, trusted_state)
        except CallboardError as error:
            return self._failed_reading(target, state, error)

    async def _require_admitted(self, target: Target) -> None:
        await self._admission.require(target.location, target.parent, target.origin)

    def _failed_reading(
        self, target: Target, state: FileState | None, error: CallboardError
    ) -> TargetReading:
        is_missing = isinstance(error, NotFound)
        is_forgiven = is_missing and target.optional
        place = self._sources.place(target.location)
        # Only Git can tell for certain that there is no file: it read the commit.
        is_certain = is_forgiven or (is_missing and place is not None)
        errors: list[StatusItemJson] = []
        if not is_forgiven:
            before = state.errors if state else ()
            errors.append(failure_item(error, before, datetime.now(UTC)))
        if state is not None and not is_certain:
            errors += refused_name_items(state)
        failed_state = FileState(
            target.parent,
            str(target.location),
            digest=None,
            place=place,
            includes=state.includes if state else (),
            errors=tuple(errors),
        )
        return TargetReading(
            target,
            failed_state,
            error=None if is_forgiven else error,
            is_missing=is_certain,
        )

    async def _read(self, target: Target, state: FileState | None) -> TargetReading:
        etag = state.etag if state and state.digest else None
        fetched = await self._sources.read(target.location, etag)
        if state is not None and fetched.is_unchanged:
            return TargetReading(target, state, is_unchanged=True)
        has_placeholders = placeholders.may_hold(fetched.body)
        digest, etag = fetched.digest, fetched.etag
        includes = fetched.links
        if state is not None and not has_placeholders and digest == state.digest:
            unchanged_state = replace(state, etag=etag, includes=includes)
            return TargetReading(target, unchanged_state, is_unchanged=True)
        documents = await self._parse(target, fetched)
        contents: dict[placeholders.Placeholder, Any] = {}
        if has_placeholders:
            included = await self._include(target.location, documents)
            contents = included.contents
            includes = (*fetched.links, *included.places)
            digest = _digest_of(fetched, included)
            # The file's etag does not cover included files: read it every time.
            etag = None
            if state is not None and digest == state.digest:
                return TargetReading(target, state, is_unchanged=True)
        items = await self._effort.compute(
            self._candidates, target, documents, contents
        )
        refusals = await self._refusals(target, fetched, documents, items)
        new_state = FileState(
            target.parent,
            str(target.location),
            digest=None if refusals else digest,
            etag=etag,
            place=fetched.place,
            includes=includes,
            errors=items_of_file(refusals),
        )
        candidates = [item for item in items if isinstance(item, Candidate)]
        return TargetReading(target, new_state, candidates, refusals)

    async def _refusals(
        self,
        target: Target,
        fetched: FetchedFile,
        documents: Sequence[Any],
        items: Sequence[Candidate | Refusal],
    ) -> list[Refusal]:
        """The documents that are refused, with their lines as far as they are shown."""
        refusals = {
            n: item for n, item in enumerate(items) if isinstance(item, Refusal)
        }
        # Of documents without a name only the first are shown, the others are counted.
        fields = {
            number: paths_of(refusal.error)
            for place, (number, refusal) in enumerate(refusals.items())
            if place < FILE_ITEMS or refusal.ref is not None
        }
        if fields:
            lines = await self._effort.compute(locate, fetched.body, fields)
            source = self._sources.place(target.location)
            file = path_of(target.location, self._root.location, source)
            for number, document_lines in lines.items():
                refusals[number] = _located(
                    file, refusals[number], document_lines, documents[number]
                )
        return list(refusals.values())

    async def _parse(self, target: Target, fetched: FetchedFile) -> list[Any]:
        try:
            documents: list[Any] = await self._effort.compute(
                load_documents, fetched.body
            )
        except Invalid as error:
            hint = f"; {SKELETON}" if _has_template_marks(fetched.body) else ""
            raise BrokenFile(
                f"{target.location}: {error.message}{hint}",
                is_restricted=may_ask_to_be_restricted(fetched.body),
            ) from error
        return documents

    def _candidates(
        self,
        target: Target,
        documents: Sequence[Any],
        contents: dict[placeholders.Placeholder, Any],
    ) -> list[Candidate | Refusal]:
        context = Context(
            target.location,
            self._root.location,
            target.parent,
            self._rules,
            self._sources.links(target.location),
        )
        items: list[Candidate | Refusal] = []
        refs: set[str] = set()
        for document in documents:
            item = candidate(document, context, contents)
            if isinstance(item, Refusal) and item.ref is None:
                item = replace(
                    item, error=broken_fields(str(target.location), item.error)
                )
            if item.ref == target.parent:
                # A Location that names its own file would keep itself alive.
                continue
            if isinstance(item, Candidate) and item.ref in refs:
                item = Refusal(
                    None,
                    Invalid(f"{item.ref}: is declared twice"),
                    is_restricted=item.entity.is_restricted,
                )
            refs.add(item.ref or "")
            items.append(item)
        return items

    async def _include(
        self, base: LocationRef, documents: Sequence[Any]
    ) -> IncludedContents:
        async def admit(location: LocationRef) -> None:
            await self._admission.require_included(location, base)

        return await include(
            placeholders.find_all(documents),
            base,
            self._sources,
            admit=admit,
            compute=self._effort.compute,
        )


def _located(file: str, item: Refusal, lines: DocumentLines, document: Any) -> Refusal:
    return replace(
        item,
        file=file,
        line=lines.start,
        fields=lines.fields,
        owner=owner_named_by(document),
    )


def _digest_of(fetched: FetchedFile, included: IncludedContents) -> str:
    """Covers the descriptor and everything that its placeholders stand for."""
    digests = f"{fetched.digest} {included.digest.hexdigest()}"
    return hashlib.blake2b(digests.encode(), digest_size=16).hexdigest()


def _has_template_marks(body: bytes) -> bool:
    return any(mark in body for mark in (b"${{", b"{%", b"{{ cookiecutter."))
