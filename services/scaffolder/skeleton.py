"""Renders a folder of template files into a workspace: names and contents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.template import Dialect
from services.scaffolder.twins import LearningDialect
from services.scaffolder.workspace import Workspace, is_executable, tree
from shared.guards.globs import GlobList

DEFAULT_EXTENSION = ".njk"
FileDialect = Dialect | LearningDialect
_SNIFFED = 8_000


@dataclass(frozen=True, slots=True)
class SkeletonRules:
    """What `fetch:template` may be told besides its values.

    `copied` are globs of files copied as they are; with `renders_copied_names` their
    paths are rendered all the same. `extension`: only files with it are rendered, and
    they lose it.
    """

    copied: Sequence[str] = ()
    renders_copied_names: bool = True
    extension: str | None = None
    replaces: bool = False
    cookiecutter: bool = False
    globs: GlobList = field(init=False)

    def __post_init__(self) -> None:
        globs = GlobList(self.copied, dot=True, label="copyWithoutTemplating")
        object.__setattr__(self, "globs", globs)

    def is_copied(self, path: str) -> bool:
        """Whether the file at this path is left as it is."""
        return self.globs.matches(path)


def context_of(values: Mapping[str, Any], *, cookiecutter: bool) -> dict[str, Any]:
    """The names that a skeleton's files know."""
    name = "cookiecutter" if cookiecutter else "values"
    return {name: dict(values)}


def render_tree(
    source: Path,
    workspace: Workspace,
    target: str,
    values: Mapping[str, Any],
    dialect: FileDialect,
    rules: SkeletonRules,
) -> list[str]:
    """Write the rendered files of `source` below `target`; their paths.

    A file whose path has a part that renders to nothing is left out; a file that is
    already there stays, unless the rules say that it is replaced.

    Raises:
        TemplateRenderError: naming the file, line and column.
        Forbidden: if a rendered path leads outside the workspace.
    """
    context = context_of(values, cookiecutter=rules.cookiecutter)
    written: list[str] = []
    for path in tree(source):
        relative = path.relative_to(source).as_posix()
        copied = rules.is_copied(relative)
        name = relative
        if not copied or rules.renders_copied_names:
            name = _named(dialect, relative, context)
        is_template = not copied and (
            rules.extension is None or relative.endswith(rules.extension)
        )
        if is_template and rules.extension:
            name = name.removesuffix(rules.extension)
        if not all(name.split("/")):
            continue
        place = (PurePosixPath(target) / name).as_posix()
        if not rules.replaces and workspace.path(place).exists():
            continue
        content = path.read_bytes()
        if is_template:
            content = render_content(dialect, content, context, relative)
        workspace.write(place, content, executable=is_executable(path))
        written.append(place)
    return written


def _named(dialect: FileDialect, path: str, context: Mapping[str, Any]) -> str:
    try:
        return dialect.text(path, context)
    except TemplateRenderError as error:
        raise _within(path, error) from error


def render_content(
    dialect: FileDialect, content: bytes, context: Mapping[str, Any], path: str
) -> bytes:
    """A file's content rendered; a binary file as it is.

    Raises:
        TemplateRenderError: naming the file, line and column.
    """
    if b"\0" in content[:_SNIFFED]:
        return content
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return content
    try:
        return dialect.text(text, context).encode("utf-8", "surrogatepass")
    except TemplateRenderError as error:
        raise _within(path, error) from error


def _within(path: str, error: TemplateRenderError) -> TemplateRenderError:
    made = type(error)(error.reason, line=error.line, column=error.column)
    made.message = f"{error.message} (in {path})"
    made.args = (made.message,)
    return made
