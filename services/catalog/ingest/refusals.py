"""Documents that are no entities: the fields that break rules, and their lines."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.catalog.descriptor.kinds import PROBLEMS_NAMED
from services.catalog.model import LocationRef, RepositoryPath
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, Invalid
from shared.contracts.ref import parse_ref
from shared.guards.yaml_lines import DocumentLines

#: Characters of an owner's ref: three names of 63, and the signs between.
LONGEST_OWNER = 191


class BrokenFields(Invalid):
    """A document that breaks rules: the message ends with all of its `problems`.

    Each problem is `field: rule`.
    """

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def broken_fields(subject: str, error: CallboardError) -> BrokenFields:
    """The same error, with what it is about before it."""
    return BrokenFields(f"{subject}: {error.message}", problems_of(error))


def problems_of(error: CallboardError) -> tuple[str, ...]:
    """The problems of a document, each as `field: rule`."""
    return error.problems if isinstance(error, BrokenFields) else (error.message,)


def paths_of(error: CallboardError) -> tuple[str, ...]:
    """The fields that the problems of a document are about."""
    return tuple(problem.partition(": ")[0] for problem in problems_of(error))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document that cannot be an entity; `ref` None if it has not even a name.

    `file` is the path of its file, `line` where it begins there, `fields` the lines of
    the fields that are wrong, `owner` the ref of the owner that it names (or ""),
    `is_restricted` whether it asks to be hidden.
    """

    ref: str | None
    error: CallboardError
    file: str = ""
    line: int | None = None
    fields: tuple[int | None, ...] = ()
    owner: str = ""
    is_restricted: bool = False

    @property
    def first_line(self) -> int | None:
        """The line of the first field that is wrong, or else the document's."""
        return next((line for line in self.fields if line is not None), self.line)

    @property
    def located_error(self) -> CallboardError:
        """The error, with the lines of its fields and of the document in its file."""
        if self.line is None:
            return self.error
        of_file = f" of {self.file}" if self.file else ""
        if len(self.fields) == 1 and self.fields[0] is not None:
            return type(self.error)(
                f"{self.error.message} (line {self.fields[0]}{of_file})"
            )
        message = self.error.message
        if self.fields:
            message = _message_with_lines(self.error, self.fields)
        place = f"in the document at line {self.line}{of_file}"
        return type(self.error)(f"{message} ({place})")


def error_of_all(refusals: Sequence[Refusal]) -> CallboardError:
    """One error with a line for each refused document; a single one stays as it is.

    An author can then correct all problems of a file at once.
    """
    if len(refusals) == 1:
        return refusals[0].located_error
    lines = [refusal.located_error.message for refusal in refusals[:PROBLEMS_NAMED]]
    if len(refusals) > PROBLEMS_NAMED:
        lines.append(f"and {len(refusals) - PROBLEMS_NAMED} more")
    return Invalid("\n".join(lines))


def owner_named_by(document: Any) -> str:
    """The ref of the owner that a document names, "" if it cannot be read."""
    if not isinstance(document, Mapping):
        return ""
    entity = Entity(document)
    owner = entity.spec.get("owner")
    if not isinstance(owner, str) or len(owner) > LONGEST_OWNER:
        return ""
    namespace = entity.namespace
    try:
        ref = parse_ref(owner, default_kind="group", default_namespace=namespace)
    except Invalid:
        return ""
    return str(ref).lower()


def located(file: str, item: Refusal, lines: DocumentLines, document: Any) -> Refusal:
    """A refusal with the file and the lines of its document, and its owner."""
    return replace(
        item,
        file=file,
        line=lines.start,
        fields=lines.fields,
        owner=owner_named_by(document),
    )


def path_of(
    location: LocationRef, root: LocationRef, place: RepositoryPath | None
) -> str:
    """The path of a file in its repository, or from the folder of its root.

    A file name alone may be the name of several files.
    """
    if place is not None and place.path:
        return place.path
    beginning = posixpath.commonprefix([root.target, location.target])
    folder = beginning.rpartition("/")[0]
    if folder in {"", "https:", "https:/", "http:", "http:/"}:
        return location.target.rpartition("/")[2]
    return location.target[len(folder) + 1 :]


def _message_with_lines(error: CallboardError, lines: Sequence[int | None]) -> str:
    """The message, with the line of its field after each problem where it is known."""
    problems = problems_of(error)
    subject = error.message.removesuffix("; ".join(problems))
    located_problems = [
        problem if line is None else f"{problem} (line {line})"
        for problem, line in zip(problems, lines, strict=True)
    ]
    return subject + "; ".join(located_problems)
