"""Stage one: the sources of a site in a private folder, and their hash.

Only what the site needs is fetched: its configuration, its pages, what it includes. A
site that takes snippets gets the whole folder. Files stand in the place of links.
"""

import asyncio
import contextlib
import os
import posixpath
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from services.techdocs import mkdocs_file
from services.techdocs.annotations import file_as_source
from services.techdocs.generator.job import GENERATOR_VERSION
from services.techdocs.generator.places import README_FILES, pictures_of
from services.techdocs.model import DocsFolder, Exported, Limits, Prepared
from services.techdocs.ports import DocsSources, Say
from shared.contracts.errors import Invalid, NotFound, TooLarge
from shared.guards.foreign_files import ForeignFolder

SNIPPET = b"--8<--"
READMES = ("README.md", "readme.md")
README_PICTURE_BYTES = 20 * 1024 * 1024
CHUNK = 1024 * 1024


@dataclass(slots=True)
class _Plan:
    """The files and folders to fetch, as paths below the place."""

    docs: str
    config: str | None = None
    folders: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def watched(self) -> list[str]:
        return [
            *mkdocs_file.CONFIG_NAMES,
            self.docs,
            *self.folders,
            *self.files,
            *READMES,
        ]


async def prepare(
    place: DocsFolder,
    sources: DocsSources,
    folder: Path,
    *,
    commit: str | None,
    title: str,
    limits: Limits,
    say: Say,
) -> Prepared:
    """Fetch the sources of a site at `commit` into `folder`.

    Raises:
        Invalid: if they cannot become a site, naming the file and the rule.
        TooLarge: if they are over the limits.
        Unavailable: if their host does not answer.
    """
    plan = await _plan(place, sources, commit)
    exported = await _fetch(plan, place, sources, commit, folder)
    whole = await asyncio.to_thread(_needs_whole, folder)
    if whole:
        say("info: The pages use files beside them; fetching the whole folder")
        await asyncio.to_thread(_emptied, folder)
        exported = [await sources.export(place, commit, "", folder)]
    for warning in dict.fromkeys(line for one in exported for line in one.warnings):
        say(f"warn: {warning}")
    if any(one.has_hidden_files for one in exported):
        say("info: Files that not all readers of these docs may read are left out")
    elsewhere = [path for one in exported for path in one.outside]
    readme = await _index(plan, place, sources, commit, folder, say)
    links = [sources.link(place, "edit"), sources.link(place, "blob")]
    url = sources.repository_url(place)
    within = place.folder if place.host else ""
    context = [title if not plan.config else "", *links, url, readme, within]
    content = await asyncio.to_thread(
        _content_hash, folder, limits, [*context, *limits.plugins]
    )
    elsewhere += await sources.trail(place, commit, list(plan.files))
    watched = [""] if whole else plan.watched()
    return Prepared(
        folder=str(folder),
        content=content,
        config=plan.config,
        commit=commit,
        watched=_in_repository(place, watched, elsewhere) if place.host else (),
        repository_url=url,
        edit_link=links[0],
        source_link=links[1],
        readme=readme,
    )


def _in_repository(
    place: DocsFolder, paths: Sequence[str], elsewhere: Sequence[str]
) -> tuple[str, ...]:
    """Paths below the place and, `elsewhere`, of its repository: each one once."""
    joined = [posixpath.normpath(posixpath.join(place.folder, p)) for p in paths]
    below = ("" if path == "." else path for path in joined)
    return tuple(dict.fromkeys([*below, *elsewhere]))


async def _plan(place: DocsFolder, sources: DocsSources, commit: str | None) -> _Plan:
    for name in mkdocs_file.CONFIG_NAMES:
        try:
            text = await sources.read(place, commit, name)
        except NotFound:
            continue
        config = await asyncio.to_thread(mkdocs_file.read_config, text, name)
        plan = _Plan(mkdocs_file.docs_dir(config, name), name, files={name: text})
        for statement in mkdocs_file.includes(config):
            await _include(plan, statement, place, sources, commit)
        return plan
    return _Plan(mkdocs_file.DEFAULT_DOCS_DIR)


async def _include(
    plan: _Plan,
    statement: str,
    place: DocsFolder,
    sources: DocsSources,
    commit: str | None,
) -> None:
    """Add another configuration and its pages (mkdocs' monorepo plugin)."""
    if statement.startswith(mkdocs_file.WILDCARD_INCLUDE):
        glob = mkdocs_file.include_glob(statement)
        listed = await sources.list(place, commit, glob.base)
        paths = sorted(await asyncio.to_thread(glob.select, listed))
        if not paths:
            raise Invalid(f"mkdocs.yml: nav: nothing matches {glob.pattern}")
    else:
        paths = [mkdocs_file.inside(statement.partition(" ")[2], "mkdocs.yml: nav")]
    for path in paths:
        try:
            text = await sources.read(place, commit, path)
        except NotFound:
            raise Invalid(f"mkdocs.yml: nav: {path} does not exist") from None
        config = await asyncio.to_thread(mkdocs_file.read_config, text, path)
        below = f"{posixpath.dirname(path)}/{mkdocs_file.docs_dir(config, path)}"
        plan.files[path] = text
        plan.folders.append(mkdocs_file.inside(below.lstrip("/"), f"{path}: docs_dir"))


async def _fetch(
    plan: _Plan,
    place: DocsFolder,
    sources: DocsSources,
    commit: str | None,
    folder: Path,
) -> list[Exported]:
    """Fetch the files and folders of the plan."""
    exported: list[Exported] = []
    for path, text in plan.files.items():
        await asyncio.to_thread(_write, folder, path, text)
    for name in dict.fromkeys([plan.docs, *plan.folders]):
        prefix = "" if name == "." else name
        try:
            exported.append(await sources.export(place, commit, prefix, folder / name))
        except NotFound:
            # Without pages of its own, a README may still become the only page.
            continue
    return exported


def _write(root: Path, path: str, content: bytes) -> None:
    with ForeignFolder.open(root, create=True) as folder:
        folder.write(path, content, replaces=True)


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _needs_whole(folder: Path) -> bool:
    for path in _files(folder):
        if path.suffix == ".md" and path.is_file() and SNIPPET in path.read_bytes():
            return True
    return False


async def _index(
    plan: _Plan,
    place: DocsFolder,
    sources: DocsSources,
    commit: str | None,
    folder: Path,
    say: Say,
) -> str | None:
    """A site without a first page gets the README (techdocs-node does the same).

    Returns the README's name if it became the first page.
    """
    docs = folder / plan.docs
    if any((docs / name).is_file() for name in ("index.md", *READMES)):
        return None
    for name in READMES:
        try:
            text = await sources.read(place, commit, name)
        except NotFound:
            continue
        say(f"warn: {plan.docs}/index.md not found; {name} becomes the first page")
        await asyncio.to_thread(_write, docs, "index.md", text)
        await _pictures(plan, text, place, sources, commit, docs / README_FILES)
        return name
    if not docs.is_dir():
        if place.folder and place.host:
            with contextlib.suppress(NotFound):
                await sources.read(place, commit, "")
                raise file_as_source(place.folder)
        location = place.folder or "the repository's top folder"
        raise Invalid(
            f"docs_dir: there is no folder {plan.docs!r} in {location}, nor a README.md"
        )
    return None


async def _pictures(
    plan: _Plan,
    readme: bytes,
    place: DocsFolder,
    sources: DocsSources,
    commit: str | None,
    folder: Path,
) -> None:
    """Fetch the README's pictures from beside the pages; missing ones are left out."""
    size = 0
    text = readme.decode(errors="replace")
    for path in await asyncio.to_thread(pictures_of, text):
        if path.startswith(f"{plan.docs}/"):
            continue
        plan.files[path] = b""
        with contextlib.suppress(NotFound, Invalid, TooLarge):
            picture = await sources.read(place, commit, path)
            size += len(picture)
            if size > README_PICTURE_BYTES:
                return
            await asyncio.to_thread(_write, folder, path, picture)


def _files(folder: Path) -> list[Path]:
    """All files; there are no links, as the sources copy their targets."""
    paths = (
        Path(parent, name) for parent, _, names in os.walk(folder) for name in names
    )
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def _content_hash(folder: Path, limits: Limits, context: Sequence[str | None]) -> str:
    """The hash of the files and of what else a page depends on."""
    files = _files(folder)
    if len(files) > limits.files:
        raise TooLarge(f"docs: more than {limits.files} files")
    digest = blake2b(digest_size=16)
    digest.update(repr((GENERATOR_VERSION, *context)).encode())
    total = 0
    for path in files:
        total += path.stat().st_size
        if total > limits.total_bytes:
            raise TooLarge(f"docs: over the limit of {limits.total_bytes} bytes")
        _digest(digest, path, path.relative_to(folder).as_posix())
    return digest.hexdigest()


def _digest(digest: blake2b, path: Path, name: str) -> None:
    digest.update(f"{len(name)}:{name}:{path.stat().st_size}:".encode())
    with path.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            digest.update(chunk)
