"""`callboard validate`: applies the services' checks to files, without a portal.

The catalog checks descriptors, the scaffolder the expressions of templates.
"""

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deploy.cli import descriptors
from deploy.cli.descriptors import DescriptorDocument
from services.catalog.descriptor_checks import (
    CheckedDocument,
    DescriptorChecks,
    Refusal,
    paths_of,
)
from services.scaffolder.templates.expression_syntax import expression_errors
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, Invalid, NotFound


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
    def text(self) -> str:
        """The finding as one line of a report, after its outcome."""
        text = self.error or self.left_out or ""
        # The catalog's message begins with the entity's ref.
        if self.ref is not None and not text.startswith(f"{self.ref}:"):
            text = f"{self.ref}: {text}" if text else self.ref
        return " ".join(f"{self.file}: {text}".split())

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON for scripts."""
        return {
            "file": str(self.file),
            "ref": self.ref,
            "error": self.error,
            "line": self.line_number,
            "left_out": self.left_out,
        }


def check_path(path: Path, kinds: Sequence[Path] = ()) -> list[Finding]:
    """Check every descriptor at `path`; files that are left out are listed too.

    `kinds` are files or folders of own kinds.

    Raises:
        Invalid: if the file of an own kind breaks a rule.
        NotFound: if there is nothing to check.
    """
    if not os.path.lexists(path):
        raise NotFound(f"There is no {path}")
    return asyncio.run(_Checks(path, kinds).run())


@dataclass
class _Checks:
    path: Path
    kinds: Sequence[Path]
    findings: list[Finding] = field(default_factory=list)
    _checked: set[Path] = field(default_factory=set)
    _pending: deque[tuple[Path, list[DescriptorDocument]]] = field(
        default_factory=deque
    )

    async def run(self) -> list[Finding]:
        self._descriptors = DescriptorChecks(self.path, self.kinds)
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
            self._checked.add(_real_path(file))
            self.findings.append(Finding(file, left_out=reason))
        for file, problem in selection.problems.items():
            self._checked.add(_real_path(file))
            self.findings.append(Finding(file, error=problem))
        for file, documents in selection.documents.items():
            self._checked.add(_real_path(file))
            self._pending.append((file, documents))
        if not self._pending and not selection.problems:
            names = ", ".join(descriptors.NAMES)
            raise NotFound(
                f"{self.path}: holds no descriptor: a file named {names} …, or one "
                f"whose apiVersion begins with {' or '.join(descriptors.GROUPS)}"
            )

    def _add_file(self, file: Path) -> None:
        self._checked.add(_real_path(file))
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
        results: list[CheckedDocument] = []
        for _, value in documents:
            result = await self._check_document(file, value)
            if result.ref is not None and result.ref in refs:
                result.error = Invalid(f"{result.ref}: is declared twice")
            refs.add(result.ref or "")
            results.append(result)
        fields = {
            document.position: paths_of(result.error)
            for document, result in zip(documents, results, strict=True)
            if result.error is not None
        }
        lines = descriptors.lines(file, fields)
        for document, result in zip(documents, results, strict=True):
            if result.error is None:
                self.findings.append(Finding(file, result.ref))
            else:
                location = lines[document.position]
                refusal = Refusal(
                    result.ref,
                    result.error,
                    line=location.start,
                    fields=location.fields,
                )
                self._add_refusal(file, refusal)

    def _add_refusal(self, file: Path, refusal: Refusal) -> None:
        message = replace(refusal, file=self._relative_path(file)).located_error.message
        at_line = refusal.first_line
        self.findings.append(Finding(file, refusal.ref, message, line_number=at_line))

    def _relative_path(self, file: Path) -> str:
        """A file's path relative to the checked folder."""
        folder = self.path if self.path.is_dir() else self.path.parent
        is_inside = file.is_relative_to(folder)
        return str(file.relative_to(folder) if is_inside else file)

    async def _check_document(self, file: Path, value: Any) -> CheckedDocument:
        """Check a document; the files that a Location refers to are checked later."""
        result = await self._descriptors.check(file, value)
        for target in result.targets:
            if target not in self._checked:
                self._add_file(_display_path(file, target))
        entity = result.entity
        if entity is not None and entity.kind == "Template":
            result.error = await asyncio.to_thread(_expression_error, entity)
        return result


def _expression_error(template: Entity) -> CallboardError | None:
    """The error of a template with expressions that cannot work."""
    errors = expression_errors(template.spec)
    return Invalid("; ".join(error.message for error in errors)) if errors else None


def _real_path(file: Path) -> Path:
    """Where a file really lies; of a link that leads to itself, the link."""
    return Path(os.path.realpath(file))


def _display_path(file: Path, target: Path) -> Path:
    """The path of a file, absolute or relative like that of its descriptor."""
    if file.is_absolute() or not target.is_relative_to(Path.cwd()):
        return target
    return target.relative_to(Path.cwd())
