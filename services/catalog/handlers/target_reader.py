"""Reads one target: its entities, or its problem; an unchanged file costs a hash."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.catalog.handlers.admission import Admission
from services.catalog.handlers.effort import Effort
from services.catalog.handlers.including import IncludedContents, include
from services.catalog.ingest import placeholders
from services.catalog.ingest.candidates import (
    Candidate,
    Context,
    candidate,
)
from services.catalog.ingest.problems import (
    FILE_ITEMS,
    BrokenFile,
    failure_item,
    items_of_file,
    refused_name_items,
    with_edit_url,
    with_text_advice,
)
from services.catalog.ingest.refusals import (
    Refusal,
    broken_fields,
    located,
    path_of,
    paths_of,
)
from services.catalog.ingest.restriction import may_ask_to_be_restricted
from services.catalog.ingest.rules import Rules
from services.catalog.model import (
    FileState,
    LocationRef,
    RepositoryPath,
    RootLocation,
    StatusItemJson,
)
from services.catalog.planning.reading import Target, TargetReading
from services.catalog.ports import FetchedFile, SourceSnapshot
from shared.contracts.errors import CallboardError, Invalid, NotFound
from shared.guards.yaml_lines import locate
from shared.guards.yaml_text import load_documents


class TargetReader:
    """Reads the targets of one root, as one snapshot of its sources has them."""

    def __init__(
        self,
        root: RootLocation,
        sources: SourceSnapshot,
        rules: Rules,
        admission: Admission,
        *,
        effort: Effort,
        is_dry_run: bool,
    ) -> None:
        self._root = root
        self._sources = sources
        self._rules = rules
        self._admission = admission
        self._effort = effort
        self._is_dry_run = is_dry_run

    def failed_reading(
        self,
        target: Target,
        state: FileState | None,
        error: CallboardError,
        *,
        is_admitted: bool,
    ) -> TargetReading:
        """What a target is that cannot be read; `state` is that of the last reading.

        `is_admitted`: the location may read it at all.
        """
        is_missing = isinstance(error, NotFound)
        is_forgiven = is_missing and target.optional
        place = self._sources.place(target.location)
        # Only Git can tell for certain that there is no file: it read the commit.
        is_certain = is_forgiven or (is_missing and place is not None)
        errors: list[StatusItemJson] = []
        if not is_forgiven:
            before = state.errors if state else ()
            errors.append(failure_item(error, before, datetime.now(UTC)))
        links = self._sources.links(target.location)
        errors = list(with_edit_url(errors, links))
        if state is not None and not is_certain:
            errors += refused_name_items(state)
        failed_state = FileState(
            target.parent,
            str(target.location),
            digest=None,
            place=place,
            includes=state.includes if state else (),
            linked=state.linked if state else None,
            errors=tuple(errors),
            was_admitted=is_admitted or (state is not None and state.was_admitted),
        )
        return TargetReading(
            target,
            failed_state,
            error=None if is_forgiven else error,
            is_missing=is_certain,
        )

    async def read(self, target: Target, state: FileState | None) -> TargetReading:
        """Read a target; `state`: skip it if it is as at the last reading.

        Raises:
            CallboardError: if there is no such file, or it cannot be read or parsed.
        """
        etag = state.etag if state and state.digest else None
        fetched = await self._sources.read(
            target.location,
            etag,
            hidden_paths=await self._admission.hidden_paths(
                target, is_dry_run=self._is_dry_run
            ),
        )
        if state is not None and fetched.is_unchanged:
            return TargetReading(target, state, is_unchanged=True)
        has_placeholders = placeholders.may_hold(fetched.body)
        digest, etag = fetched.digest, fetched.etag
        includes = fetched.links
        if state is not None and not has_placeholders and digest == state.digest:
            return _unchanged(target, state, fetched, includes)
        documents = await self._parse(target, fetched)
        contents: dict[placeholders.Placeholder, Any] = {}
        if has_placeholders:
            included = await self._include(target.location, documents)
            contents = included.contents
            includes = (*fetched.links, *included.places)
            digest = included.digest_with(fetched.digest)
            # The file's etag does not cover included files: read it every time.
            etag = None
            if state is not None and digest == state.digest:
                return _unchanged(target, state, replace(fetched, etag=None), includes)
        items = await self._effort.compute(
            self._candidates, target, documents, contents
        )
        refusals = await self._refusals(target, fetched, documents, items)
        candidates = [item for item in items.values() if isinstance(item, Candidate)]
        new_state = FileState(
            target.parent,
            str(target.location),
            digest=None if refusals else digest,
            etag=etag,
            place=fetched.place,
            includes=includes,
            errors=with_edit_url(
                items_of_file(refusals), self._sources.links(target.location)
            ),
            linked=fetched.linked,
        )
        return TargetReading(target, new_state, candidates, refusals)

    async def _refusals(
        self,
        target: Target,
        fetched: FetchedFile,
        documents: Sequence[Any],
        items: Mapping[int, Candidate | Refusal],
    ) -> list[Refusal]:
        """The documents that are refused, with their lines as far as they are shown."""
        refusals = {n: item for n, item in items.items() if isinstance(item, Refusal)}
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
                refusals[number] = located(
                    file, refusals[number], document_lines, documents[number]
                )
        return list(refusals.values())

    async def _parse(self, target: Target, fetched: FetchedFile) -> list[Any]:
        try:
            documents: list[Any] = await self._effort.compute(
                load_documents, fetched.body
            )
        except Invalid as error:
            message = with_text_advice(error.message, fetched.body)
            raise BrokenFile(
                f"{target.location}: {message}",
                is_restricted=may_ask_to_be_restricted(fetched.body),
            ) from error
        return documents

    def _candidates(
        self,
        target: Target,
        documents: Sequence[Any],
        contents: dict[placeholders.Placeholder, Any],
    ) -> dict[int, Candidate | Refusal]:
        """What each document comes to, by its position in the file."""
        context = Context(
            target.location,
            self._root.location,
            target.parent,
            self._rules,
            self._sources.links(target.location),
        )
        items: dict[int, Candidate | Refusal] = {}
        refs: set[str] = set()
        for number, document in enumerate(documents):
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
            items[number] = item
        return items

    async def _include(
        self, base: LocationRef, documents: Sequence[Any]
    ) -> IncludedContents:
        return await include(
            placeholders.find_all(documents),
            base,
            self._sources,
            admit=lambda location: self._admission.admit_included(location, base),
            compute=self._effort.compute,
        )


def _unchanged(
    target: Target,
    state: FileState,
    fetched: FetchedFile,
    includes: tuple[RepositoryPath, ...],
) -> TargetReading:
    """A target of the same content, which links may lead to elsewhere now."""
    unchanged_state = replace(
        state, etag=fetched.etag, includes=includes, linked=fetched.linked
    )
    return TargetReading(target, unchanged_state, is_unchanged=True)
