"""`callboard validate`: applies the catalog's checks to files, without a portal.

Web addresses are not read, since that needs a portal's integrations: a placeholder with
an address counts as valid, and a Location's target at an address is not followed.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deploy.cli import descriptors
from deploy.cli.descriptors import DescriptorDocument
from services.catalog.descriptor import envelope
from services.catalog.handlers.including import include
from services.catalog.ingest import placeholders
from services.catalog.ingest.candidates import checked, targets_of
from services.catalog.ingest.refusals import Refusal, paths_of
from services.catalog.model import LocationRef, RepositoryPath
from services.catalog.ports import Fetched
from services.catalog.readers.files import FileReader
from services.scaffolder.templates.expression_syntax import expression_errors
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, Forbidden, Invalid, NotFound

#: The assumed content of a placeholder with a web address.
REMOTE_CONTENT: dict[str, Any] = {
    "$text": "elsewhere",
    "$json": {},
    "$yaml": {},
    "$openapi": "elsewhere",
    "$asyncapi": "elsewhere",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One document of one file with the rules it breaks; or why a file is left out.

    `line_number` is the line of the first field that breaks a rule.
    """

    file: Path
    ref: str | None = None
    error: str | None = None
    left_out: str | None = None
    line_number: int | None = None

    @property
    def outcome(self) -> str:
        """The outcome in one word."""
        if self.left_out is not None:
            return "left out"
        return "ok" if self.error is None else "error"

    @property
    def line(self) -> str:
        """The finding as one line of a report."""
        text = self.error or self.left_out or ""
        # The catalog's message begins with the entity's ref.
        if self.ref is not None and not text.startswith(f"{self.ref}:"):
            text = f"{self.ref}: {text}" if text else self.ref
        return " ".join(f"{self.outcome} {self.file}: {text}".split())

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON for scripts."""
        return {
            "file": str(self.file),
            "ref": self.ref,
            "error": self.error,
            "line": self.line_number,
            "left_out": self.left_out,
        }


def check_path(path: Path) -> list[Finding]:
    """Check every descriptor at `path`; files that are left out are listed too.

    Raises:
        NotFound: if there is nothing to check.
    """
    if not path.exists():
        raise NotFound(f"There is no {path}")
    return asyncio.run(_Checks(path).run())


class LocalReading:
    """Reads files that a descriptor refers to, from its repository or its folder."""

    def __init__(self, path: Path) -> None:
        folder = (path if path.is_dir() else path.parent).resolve()
        parents = (folder, *folder.parents)
        repository = next(
            (parent for parent in parents if (parent / ".git").exists()), folder
        )
        self._files = FileReader([repository])

    async def read(self, location: LocationRef, etag: str | None = None) -> Fetched:
        """A file's content."""
        return await self._files.read(location, etag)

    async def matching(self, location: LocationRef) -> list[LocationRef]:
        """The files that match a pattern."""
        return await self._files.matching(location)

    def included(self, base: LocationRef, target: str) -> LocationRef:
        """The file that a target in the file at `base` refers to."""
        if "://" in target:
            raise Forbidden(f"{target} can only be read by a portal")
        return self._files.resolve(base, target)

    def place(self, location: LocationRef) -> RepositoryPath | None:  # noqa: ARG002
        """Always None: positions in Git matter to a portal only."""
        return None


@dataclass
class _Checks:
    path: Path
    findings: list[Finding] = field(default_factory=list)
    _checked: set[Path] = field(default_factory=set)
    _pending: deque[tuple[Path, list[DescriptorDocument]]] = field(
        default_factory=deque
    )

    async def run(self) -> list[Finding]:
        self._reading = LocalReading(self.path)
        if self.path.is_dir():
            self._add_folder()
        else:
            self._add_file(self.path)
        while self._pending:
            file, documents = self._pending.popleft()
            await self._check_file(file, documents)
        self.findings.sort(key=lambda finding: str(finding.file))
        return self.findings

    def _add_folder(self) -> None:
        selection = descriptors.select(self.path)
        for file, reason in selection.left_out.items():
            self._checked.add(file.resolve())
            self.findings.append(Finding(file, left_out=reason))
        for file, problem in selection.problems.items():
            self._checked.add(file.resolve())
            self.findings.append(Finding(file, error=problem))
        for file, documents in selection.documents.items():
            self._checked.add(file.resolve())
            self._pending.append((file, documents))
        if not self._pending and not selection.problems:
            names = ", ".join(descriptors.NAMES)
            raise NotFound(
                f"{self.path}: holds no descriptor: a file named {names} …, or one "
                f"whose apiVersion begins with {' or '.join(descriptors.GROUPS)}"
            )

    def _add_file(self, file: Path) -> None:
        self._checked.add(file.resolve())
        try:
            self._pending.append((file, descriptors.read(file)))
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            self.findings.append(Finding(file, error=problem))
        except CallboardError as error:
            self.findings.append(Finding(file, error=error.message))

    async def _check_file(
        self, file: Path, documents: Sequence[DescriptorDocument]
    ) -> None:
        refs: set[str] = set()
        results: list[tuple[str | None, CallboardError | None]] = []
        for _, value in documents:
            ref, error = await self._check_document(file, value)
            if ref is not None and ref in refs:
                error = Invalid(f"{ref}: is declared twice")
            refs.add(ref or "")
            results.append((ref, error))
        fields = {
            document.position: paths_of(error)
            for document, (_, error) in zip(documents, results, strict=True)
            if error is not None
        }
        lines = descriptors.lines(file, fields) if fields else []
        for document, (ref, error) in zip(documents, results, strict=True):
            if error is None:
                self.findings.append(Finding(file, ref))
            else:
                location = lines[document.position]
                self._add_refusal(
                    file,
                    Refusal(ref, error, line=location.start, fields=location.fields),
                )

    def _add_refusal(self, file: Path, refusal: Refusal) -> None:
        message = replace(refusal, file=self._relative_path(file)).located_error.message
        at_line = refusal.first_line
        self.findings.append(Finding(file, refusal.ref, message, line_number=at_line))

    def _relative_path(self, file: Path) -> str:
        """A file's path relative to the checked folder."""
        folder = self.path if self.path.is_dir() else self.path.parent
        is_inside = file.is_relative_to(folder)
        return str(file.relative_to(folder) if is_inside else file)

    async def _check_document(
        self, file: Path, value: Any
    ) -> tuple[str | None, CallboardError | None]:
        """The ref of an entity, and its error if there is one."""
        ref = None
        at = LocationRef("file", str(file.resolve()))
        try:
            ref = str(envelope.identify(value))
            contents = await self._read_placeholders(at, value)
            entity, _ = await asyncio.to_thread(checked, value, contents)
            if entity.kind == "Location":
                await self._check_location(file, at, entity)
            if entity.kind == "Template":
                await asyncio.to_thread(_check_expressions, entity)
        except CallboardError as error:
            return ref, error
        return ref, None

    async def _read_placeholders(
        self, at: LocationRef, document: Any
    ) -> dict[placeholders.Placeholder, Any]:
        references = list(placeholders.find(document))
        local = [reference for reference in references if "://" not in reference[1]]
        remote = {
            reference: REMOTE_CONTENT[reference[0]]
            for reference in references
            if reference not in local
        }
        # `include` needs only these three methods.
        included = await include(local, at, self._reading)  # type: ignore[arg-type]
        return {**included.contents, **remote}

    async def _check_location(
        self, file: Path, at: LocationRef, entity: Entity
    ) -> None:
        """Check the local files that a Location refers to."""
        kind, targets, optional = targets_of(entity)
        if kind not in {None, "file"}:
            return
        for target in targets:
            if "://" in target:
                continue
            pattern = self._reading.included(at, target)
            locations = await self._reading.matching(pattern)
            missing = [
                location
                for location in locations
                if not Path(location.target).is_file()
            ]
            if (not locations or missing) and not optional:
                raise Invalid(f"spec.targets: there is no file {target}")
            for location in locations:
                target_file = Path(location.target)
                if target_file not in self._checked and target_file.is_file():
                    self._add_file(_display_path(file, target_file))


def _check_expressions(template: Entity) -> None:
    """Refuse a template with expressions that the scaffolder cannot parse."""
    errors = expression_errors(template.raw.get("spec"))
    if errors:
        raise Invalid("; ".join(error.message for error in errors))


def _display_path(file: Path, target: Path) -> Path:
    """The path of a file, absolute or relative like that of its descriptor."""
    if file.is_absolute() or not target.is_relative_to(Path.cwd()):
        return target
    return target.relative_to(Path.cwd())
