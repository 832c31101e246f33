"""`callboard validate`: the catalog's own checks, applied to files without a portal.

What lies at an address only a portal can read, by its integrations: a placeholder of
an address is taken as it should be, a Location's target there is not followed.
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

#: What stands for a file that is elsewhere.
ABSENT: dict[str, Any] = {
    "$text": "elsewhere",
    "$json": {},
    "$yaml": {},
    "$openapi": "elsewhere",
    "$asyncapi": "elsewhere",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One document of one file, and the rules it breaks; or why a file is left out.

    `at_line` is the line to look at: of the first field that breaks a rule.
    """

    file: Path
    ref: str | None = None
    error: str | None = None
    left_out: str | None = None
    at_line: int | None = None

    @property
    def mark(self) -> str:
        """What it comes to, in a word."""
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
        return " ".join(f"{self.mark} {self.file}: {text}".split())

    def as_json(self) -> dict[str, Any]:
        """The finding for scripts."""
        return {
            "file": str(self.file),
            "ref": self.ref,
            "error": self.error,
            "line": self.at_line,
            "left_out": self.left_out,
        }


def check_path(path: Path) -> list[Finding]:
    """Every descriptor at `path`, checked, and what of a folder is left out.

    Raises:
        NotFound: if there is nothing to be checked.
    """
    if not path.exists():
        raise NotFound(f"There is no {path}")
    return asyncio.run(_Checks(path).run())


class LocalReading:
    """The files beside a descriptor: as far as its repository goes, else its folder."""

    def __init__(self, path: Path) -> None:
        folder = (path if path.is_dir() else path.parent).resolve()
        above = (folder, *folder.parents)
        repository = next((each for each in above if (each / ".git").exists()), folder)
        self._files = FileReader([repository])

    async def read(self, location: LocationRef, etag: str | None = None) -> Fetched:
        """A file's content."""
        return await self._files.read(location, etag)

    async def matching(self, location: LocationRef) -> list[LocationRef]:
        """The files that a pattern means."""
        return await self._files.matching(location)

    def included(self, base: LocationRef, target: str) -> LocationRef:
        """The file that a target in the file at `base` means."""
        if "://" in target:
            raise Forbidden(f"{target} can only be read by a portal")
        return self._files.resolve(base, target)

    def place(self, location: LocationRef) -> RepositoryPath | None:  # noqa: ARG002
        """Where in Git a location lies: that matters to a portal only."""
        return None


@dataclass
class _Checks:
    path: Path
    findings: list[Finding] = field(default_factory=list)
    _seen: set[Path] = field(default_factory=set)
    _waiting: deque[tuple[Path, list[DescriptorDocument]]] = field(
        default_factory=deque
    )

    async def run(self) -> list[Finding]:
        self._reading = LocalReading(self.path)
        if self.path.is_dir():
            self._take_folder()
        else:
            self._take(self.path)
        while self._waiting:
            file, documents = self._waiting.popleft()
            await self._file(file, documents)
        self.findings.sort(key=lambda finding: str(finding.file))
        return self.findings

    def _take_folder(self) -> None:
        selection = descriptors.select(self.path)
        for file, reason in selection.left_out.items():
            self._seen.add(file.resolve())
            self.findings.append(Finding(file, left_out=reason))
        for file, problem in selection.problems.items():
            self._seen.add(file.resolve())
            self.findings.append(Finding(file, error=problem))
        for file, documents in selection.documents.items():
            self._seen.add(file.resolve())
            self._waiting.append((file, documents))
        if not self._waiting and not selection.problems:
            names = ", ".join(descriptors.NAMES)
            raise NotFound(
                f"{self.path}: holds no descriptor: a file named {names} …, or one "
                f"whose apiVersion begins with {' or '.join(descriptors.GROUPS)}"
            )

    def _take(self, file: Path) -> None:
        self._seen.add(file.resolve())
        try:
            self._waiting.append((file, descriptors.read(file)))
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            self.findings.append(Finding(file, error=problem))
        except CallboardError as error:
            self.findings.append(Finding(file, error=error.message))

    async def _file(self, file: Path, documents: Sequence[DescriptorDocument]) -> None:
        refs: set[str] = set()
        results: list[tuple[str | None, CallboardError | None]] = []
        for _, value in documents:
            ref, error = await self._document(file, value)
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
                at = lines[document.position]
                self._refuse(file, Refusal(ref, error, line=at.start, fields=at.fields))

    def _refuse(self, file: Path, refusal: Refusal) -> None:
        message = replace(refusal, file=self._relative_path(file)).located_error.message
        at_line = refusal.first_line
        self.findings.append(Finding(file, refusal.ref, message, at_line=at_line))

    def _relative_path(self, file: Path) -> str:
        """A file's path from where the check begins: many have the same name."""
        folder = self.path if self.path.is_dir() else self.path.parent
        below = file.is_relative_to(folder)
        return str(file.relative_to(folder) if below else file)

    async def _document(
        self, file: Path, value: Any
    ) -> tuple[str | None, CallboardError | None]:
        """The ref of an entity, and what is wrong with it."""
        ref = None
        at = LocationRef("file", str(file.resolve()))
        try:
            ref = str(envelope.identify(value))
            contents = await self._included(at, value)
            entity, _ = await asyncio.to_thread(checked, value, contents)
            if entity.kind == "Location":
                await self._follow(file, at, entity)
            if entity.kind == "Template":
                await asyncio.to_thread(_check_expressions, entity)
        except CallboardError as error:
            return ref, error
        return ref, None

    async def _included(
        self, at: LocationRef, document: Any
    ) -> dict[placeholders.Placeholder, Any]:
        wanted = list(placeholders.find(document))
        local = [each for each in wanted if "://" not in each[1]]
        elsewhere = {each: ABSENT[each[0]] for each in wanted if each not in local}
        # Only these three methods of a reading are needed here.
        included = await include(local, at, self._reading)  # type: ignore[arg-type]
        return {**included.contents, **elsewhere}

    async def _follow(self, file: Path, at: LocationRef, entity: Entity) -> None:
        """Check what a Location brings, where that is a file."""
        kind, targets, optional = targets_of(entity)
        if kind not in {None, "file"}:
            return
        for target in targets:
            if "://" in target:
                continue
            pattern = self._reading.included(at, target)
            found = await self._reading.matching(pattern)
            missing = [each for each in found if not Path(each.target).is_file()]
            if (not found or missing) and not optional:
                raise Invalid(f"spec.targets: there is no file {target}")
            for each in found:
                other = Path(each.target)
                if other not in self._seen and other.is_file():
                    self._take(_beside(file, other))


def _check_expressions(template: Entity) -> None:
    """Refuse a template with expressions that the scaffolder cannot parse."""
    errors = expression_errors(template.raw.get("spec"))
    if errors:
        raise Invalid("; ".join(error.message for error in errors))


def _beside(file: Path, other: Path) -> Path:
    """A file by a path like that of the descriptor that names it."""
    if file.is_absolute() or not other.is_relative_to(Path.cwd()):
        return other
    return other.relative_to(Path.cwd())
