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
    place_in,
)
from services.scaffolder.templates.expression_syntax import expression_errors
from services.scaffolder.templates.form_checks import check_form
from services.scaffolder.templates.name_checks import name_problems
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, Invalid, NotFound
from shared.guards.yaml_lines import DocumentLines

#: The warning about a file without any document.
EMPTY = (
    "holds no document, only comments or nothing: the catalog reads no entity from it; "
    "describe one there, or remove the file"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One document of one file with the rules it breaks; or why a file is left out.

    A `warning` is about what the catalog takes, but hardly means what its author wants.

    `line_number` is the line of the first field that breaks a rule. `is_empty`: the
    file has no document, so there is nothing in it to check.
    """

    file: Path
    ref: str | None = None
    error: str | None = None
    warning: str | None = None
    left_out: str | None = None
    line_number: int | None = None
    is_empty: bool = False

    @property
    def outcome(self) -> str:
        """The outcome in one word."""
        if self.left_out is not None:
            return "left out"
        if self.error is not None:
            return "error"
        return "ok" if self.warning is None else "warning"

    @property
    def text(self) -> str:
        """The finding as one line of a report, after its outcome."""
        text = self.error or self.warning or self.left_out or ""
        if self.error is not None and self.warning is not None:
            text = f"{self.error}; warning: {self.warning}"
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
            "warning": self.warning,
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
    #: The file that each entity is declared in first.
    _declarations: dict[str, Path] = field(default_factory=dict)
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
            self._add_unreadable(file, problem)
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
            self._add_unreadable(file, f"cannot be read: {error.strerror}")
        except CallboardError as error:
            self._add_unreadable(file, descriptors.described(error, file))

    def _add_unreadable(self, file: Path, problem: str) -> None:
        line = place_in(problem).get("line")
        self.findings.append(Finding(file, error=problem, line_number=line))

    async def _check_file(
        self, file: Path, documents: Sequence[DescriptorDocument]
    ) -> None:
        if not documents:
            self.findings.append(Finding(file, warning=EMPTY, is_empty=True))
        refs: set[str] = set()
        results: list[CheckedDocument] = []
        for _, value in documents:
            result = await self._check_document(file, value)
            if result.ref is not None and result.ref in refs:
                result.error = Invalid(f"{result.ref}: is declared twice")
            refs.add(result.ref or "")
            self._compare_declarations(file, result)
            results.append(result)
        fields = {
            document.position: [*_paths(result.error), *_paths(result.warning)]
            for document, result in zip(documents, results, strict=True)
            if result.error or result.warning
        }
        lines = descriptors.lines(file, fields)
        for document, result in zip(documents, results, strict=True):
            location = lines.get(document.position)
            self.findings.append(self._finding(file, result, location))

    def _finding(
        self, file: Path, result: CheckedDocument, location: DocumentLines | None
    ) -> Finding:
        """A document's finding, with the lines of what is wrong."""
        if location is None:
            return Finding(file, result.ref)
        end = len(_paths(result.error))
        finding = Finding(file, result.ref)
        if result.warning is not None:
            refusal = self._refusal(file, result.warning, location, slice(end, None))
            finding = replace(finding, warning=refusal.located_error.message)
            finding = replace(finding, line_number=refusal.first_line)
        if result.error is not None:
            refusal = self._refusal(file, result.error, location, slice(end))
            finding = replace(finding, error=refusal.located_error.message)
            finding = replace(finding, line_number=refusal.first_line)
        return finding

    def _refusal(
        self, file: Path, problem: CallboardError, location: DocumentLines, part: slice
    ) -> Refusal:
        """A problem with the lines of its fields, which are a part of a document's."""
        return Refusal(
            None,
            problem,
            file=self._relative_path(file),
            line=location.start,
            fields=location.fields[part],
        )

    def _compare_declarations(self, file: Path, result: CheckedDocument) -> None:
        """Warn of an entity that another file declares as well.

        Several paths of one file, by links, are no several declarations.
        """
        if result.ref is None or result.error is not None:
            return
        first_file = self._declarations.setdefault(result.ref, file)
        if _real_path(first_file) != _real_path(file):
            result.warnings.append(
                f"metadata.name: {self._relative_path(first_file)} declares "
                f"{result.ref} as well: the catalog shows the one that it reads first, "
                "and reports a conflict at the other"
            )

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
            await asyncio.to_thread(_check_template, entity, result)
        return result


def _check_template(template: Entity, result: CheckedDocument) -> None:
    """Add what is wrong with a template's form and expressions.

    The catalog takes it, so that is an error only where every run fails.
    """
    form = check_form(template.spec)
    result.warnings += [*form.problems, *name_problems(template.spec, form.names)]
    errors = expression_errors(template.spec)
    if not errors:
        return
    messages = [error.message for error in errors]
    if any(error.fails_run for error in errors):
        result.error = Invalid("; ".join(messages))
    else:
        result.warnings += messages


def _paths(problem: CallboardError | None) -> tuple[str, ...]:
    """The fields that a problem is about; none without a problem."""
    return () if problem is None else paths_of(problem)


def _real_path(file: Path) -> Path:
    """Where a file really lies; of a link that leads to itself, the link."""
    return Path(os.path.realpath(file))


def _display_path(file: Path, target: Path) -> Path:
    """The path of a file, absolute or relative like that of its descriptor."""
    if file.is_absolute() or not target.is_relative_to(Path.cwd()):
        return target
    return target.relative_to(Path.cwd())
