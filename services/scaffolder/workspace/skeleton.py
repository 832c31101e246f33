"""Renders a folder of template files into a workspace: names and contents."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.model import Answers, JsonObject
from services.scaffolder.secrets.dual_values import LearningDialect
from services.scaffolder.workspace.folder import FILE_LIMIT, Workspace, tree
from shared.guards.foreign_files import ForeignFolder
from shared.guards.foreign_paths import check_link
from shared.guards.foreign_trees import ForeignEntry
from shared.guards.globs import GlobList

DEFAULT_EXTENSION = ".njk"
FileDialect = TemplateDialect | LearningDialect
_SNIFFED = 8_000


@dataclass(frozen=True, slots=True)
class SkeletonRules:
    """The rules of one `fetch:template`.

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
    _copied: dict[str, bool] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        globs = GlobList(self.copied, dot=True, label="copyWithoutTemplating")
        object.__setattr__(self, "globs", globs)

    def is_copied(self, path: str) -> bool:
        """Whether the file at this path is left as it is."""
        if path not in self._copied:
            self._copied[path] = self.globs.matches(path)
        return self._copied[path]

    def is_template(self, path: str) -> bool:
        """Whether the content of the file at this path is rendered."""
        return not self.is_copied(path) and (
            self.extension is None or path.endswith(self.extension)
        )


def context_of(values: Answers, *, cookiecutter: bool) -> JsonObject:
    """The names that expressions of a skeleton's files read."""
    name = "cookiecutter" if cookiecutter else "values"
    return {name: dict(values)}


def render_tree(
    source: Path,
    workspace: Workspace,
    target: str,
    values: Answers,
    dialect: FileDialect,
    rules: SkeletonRules,
) -> list[str]:
    """Write the rendered files of `source` below `target`; their paths.

    A file is left out if a part of its path renders to nothing. A file that exists
    stays, unless the rules say that it is replaced. A link stays a link: its name and
    its target are rendered like the names of files.

    Raises:
        TemplateRenderError: naming the file, line and column.
        Forbidden: if a rendered path leads outside the workspace.
    """
    rendering = _Rendering(
        workspace, target, context_of(values, cookiecutter=rules.cookiecutter), dialect
    )
    written: list[str] = []
    entries = tree(source)
    with ForeignFolder.open(source) as folder:
        for entry in entries:
            place = rendering.place(entry.path, rules)
            if place is None:
                continue
            if not rules.replaces and workspace.status(place) is not None:
                continue
            if entry.kind == "link":
                link = rendering.target(entry.path, folder.target(entry.path), rules)
                workspace.link(place, link)
            else:
                content = folder.read(entry.path, limit=FILE_LIMIT)
                rendering.write(place, entry, content, rules)
            written.append(place)
    return written


@dataclass(frozen=True, slots=True)
class _Rendering:
    """Renders the files of one skeleton."""

    workspace: Workspace
    folder: str
    context: JsonObject
    dialect: FileDialect

    def place(self, path: str, rules: SkeletonRules) -> str | None:
        """The path to write to; None if a part of it renders to nothing."""
        name = path
        if not rules.is_copied(path) or rules.renders_copied_names:
            name = _named(self.dialect, path, self.context)
        if rules.is_template(path) and rules.extension:
            name = name.removesuffix(rules.extension)
        if not all(name.split("/")):
            return None
        return (PurePosixPath(self.folder) / name).as_posix()

    def target(self, path: str, target: str, rules: SkeletonRules) -> str:
        """The target of the link at `path`, rendered as names of files are."""
        if rules.is_copied(path) and not rules.renders_copied_names:
            return target
        rendered = _named(self.dialect, target, self.context)
        if rules.extension:
            rendered = rendered.removesuffix(rules.extension)
        if rendered != target:
            # The target as written was checked when the repository was read.
            check_link(path, rendered)
        return rendered

    def write(
        self, place: str, entry: ForeignEntry, content: bytes, rules: SkeletonRules
    ) -> None:
        if rules.is_template(entry.path):
            content = render_content(self.dialect, content, self.context, entry.path)
        self.workspace.write(place, content, executable=entry.is_executable)


def _named(dialect: FileDialect, path: str, context: JsonObject) -> str:
    try:
        return dialect.text(path, context)
    except TemplateRenderError as error:
        raise _within(path, error) from error


def render_content(
    dialect: FileDialect, content: bytes, context: JsonObject, path: str
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
    located = type(error)(error.reason, line=error.line, column=error.column)
    return located.with_message(f"{error.message} (in {path})")
