"""Stage one: what is fetched, from where, and when it counts as changed."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.techdocs.model import DocsFolder, Limits, Prepared
from services.techdocs.stages.prepare import prepare
from services.techdocs.store.sources import GitAndFolders
from shared.contracts.docs_sources import DocsSource
from shared.contracts.errors import Invalid, NotFound, TooLarge
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.git.mirrors import RepositoryMirrors
from tests.techdocs.fakes import HOST, GitHost

ROOT = f"https://{HOST}/box/blob/main/catalog-info.yaml"


class Bench:
    """Prepares the docs of one place, again and again."""

    def __init__(self, tmp_path: Path, host: GitHost) -> None:
        local = Integration(host=HOST, directory=host.directory)
        mirrors = RepositoryMirrors(tmp_path / "mirrors", Integrations(local=[local]))
        self.sources = GitAndFolders(mirrors)
        self.log: list[str] = []
        self._tmp = tmp_path
        self._count = 0

    async def prepare(
        self, source: DocsSource, title: str = "Web", limits: Limits | None = None
    ) -> Prepared:
        self._count += 1
        folder = self._tmp / f"prepared-{self._count}"
        folder.mkdir()
        place = self.sources.locate(source)
        return await prepare(
            place,
            self.sources,
            folder,
            commit=await self.sources.commit(place),
            title=title,
            limits=limits or Limits(),
            say=self.log.append,
        )

    async def git(self, relative: str = ".", **options: object) -> Prepared:
        source = DocsSource("url", ROOT, relative, base_is_folder=False)
        return await self.prepare(source, **options)  # type: ignore[arg-type]


@pytest.fixture
def host(tmp_path: Path) -> GitHost:
    return GitHost(tmp_path)


@pytest.fixture
def bench(tmp_path: Path, host: GitHost) -> Bench:
    return Bench(tmp_path, host)


def files(prepared: Prepared) -> set[str]:
    root = Path(prepared.folder)
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}


SITE = {"mkdocs.yml": "site_name: Box\n", "docs/index.md": "# Hi\n", "src/a.py": "x"}


async def test_the_ref_of_a_branch_with_slashes_is_resolved(
    bench: Bench, host: GitHost
) -> None:
    """Where the address leaves the ref open, the host decides."""
    host.commit("box", {"guide/index.md": "# Hi"})
    bare = host.directory / "box.git"
    command = ["git", "update-ref", "refs/heads/release/v3", "refs/heads/main"]
    subprocess.run(command, cwd=bare, check=True)
    base = f"https://{HOST}/box/tree/release/v3/guide/"
    source = DocsSource("url", base)
    place = await bench.sources.settle(source)
    assert place == DocsFolder("guide", host=HOST, repository="box", ref="release/v3")
    assert bench.sources.url(source) == f"https://{HOST}/box/tree/release%2Fv3/guide/"


async def test_only_the_docs_are_fetched(bench: Bench, host: GitHost) -> None:
    """Code beside the docs is neither fetched nor watched."""
    push = host.commit("box", SITE)
    result = await bench.git()
    assert files(result) == {"mkdocs.yml", "docs/index.md"}
    assert result.commit == push.after
    assert "docs" in result.watched
    assert "src" not in result.watched
    assert result.edit_link == f"https://{HOST}/box/edit/main/{{path}}"


async def test_the_hash_covers_the_files_of_the_site_only(
    bench: Bench, host: GitHost
) -> None:
    """A commit elsewhere keeps the hash, one in the docs changes it."""
    host.commit("box", SITE)
    first = await bench.git()
    host.commit("box", {"src/a.py": "y"})
    assert (await bench.git()).content == first.content
    host.commit("box", {"docs/index.md": "# Ho\n"})
    assert (await bench.git()).content != first.content
    host.commit("box", {"docs/index.md": "# Hi\n"})
    assert (await bench.git()).content == first.content
    # With a configuration the site is named there, without one by the entity.
    assert (await bench.git(title="Other")).content == first.content
    host.commit("box", {"mkdocs.yml": None})
    assert (await bench.git(title="Other")).content != (await bench.git()).content


async def test_watched_paths_are_relative_to_the_repository(
    bench: Bench, host: GitHost
) -> None:
    """For docs in a folder of a repository."""
    host.commit("box", {f"team/{name}": text for name, text in SITE.items()})
    result = await bench.git("team")
    assert files(result) == {"mkdocs.yml", "docs/index.md"}
    assert "team/docs" in result.watched
    with pytest.raises(Invalid, match="no folder 'docs' in the repository's top"):
        await bench.git(".")


@pytest.mark.parametrize(
    ("repository_files", "expected"),
    [
        ({"README.md": "# Read\n"}, {"docs/index.md"}),
        (
            {"README.md": "# Read\n", "docs/a.md": "# A\n"},
            {"docs/index.md", "docs/a.md"},
        ),
        ({"README.md": "# R\n", "docs/index.md": "# I\n"}, {"docs/index.md"}),
        ({"docs/README.md": "# R\n", "README.md": "# T\n"}, {"docs/README.md"}),
    ],
)
async def test_the_readme_is_the_first_page_without_an_index(
    bench: Bench, host: GitHost, repository_files: Mapping[str, str], expected: set[str]
) -> None:
    """Backstage's rule: without docs/index.md the README takes its place."""
    host.commit("box", repository_files)
    assert files(await bench.git()) == expected


async def test_links_inside_the_repository_are_followed(
    bench: Bench, host: GitHost
) -> None:
    """A page may be a link to a file beside the docs."""
    host.commit("box", {"mkdocs.yml": "site_name: B\n", "GUIDE.md": "# Guide\n"})
    host.link("box", "docs/index.md", "../GUIDE.md")
    result = await bench.git()
    assert (Path(result.folder) / "docs/index.md").read_text() == "# Guide\n"
    assert "GUIDE.md" in result.watched
    assert "" not in result.watched


async def test_links_in_docs_may_lead_anywhere_in_the_repository(
    bench: Bench, host: GitHost
) -> None:
    """Configuration, pages and folders may be links; their targets are watched."""
    host.commit(
        "box",
        {
            "HISTORY.md": "# History\n",
            "common/intro.md": "# Intro\n",
            "web/base.yml": "site_name: Web\ndocs_dir: pages\n",
            "web/text/index.md": "# Web\n",
        },
    )
    host.link("box", "web/mkdocs.yml", "other.yml")
    host.link("box", "web/other.yml", "base.yml")
    host.link("box", "web/pages", "text")
    host.link("box", "web/text/history.md", "../../HISTORY.md")
    host.link("box", "web/text/common", "../../common")
    host.link("box", "web/text/gone.md", "nowhere.md")
    result = await bench.git("web")
    assert files(result) == {
        "mkdocs.yml",
        "pages/index.md",
        "pages/history.md",
        "pages/common/intro.md",
    }
    assert not any(path.is_symlink() for path in Path(result.folder).rglob("*"))
    configured = ("web/base.yml", "web/other.yml", "web/pages", "web/text")
    for path in ("HISTORY.md", "common", *configured):
        assert path in result.watched
    assert any("web/text/gone.md: the link leads to nothing" in x for x in bench.log)


async def test_gitattributes_leave_no_page_out(bench: Bench, host: GitHost) -> None:
    """Docs that a repository excludes from archives are exported all the same."""
    host.commit("box", {**SITE, ".gitattributes": "/docs export-ignore\n"})
    assert files(await bench.git()) == {"mkdocs.yml", "docs/index.md"}


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../../etc/passwd"])
async def test_links_that_leave_the_repository_are_refused(
    bench: Bench, host: GitHost, target: str
) -> None:
    """A link to a file of the server stops the build."""
    host.commit("box", {"mkdocs.yml": "site_name: B\n", "docs/index.md": "# I\n"})
    host.link("box", "docs/evil.md", target)
    with pytest.raises(Invalid, match=r"link|outside|path"):
        await bench.git()


async def test_a_page_with_snippets_fetches_the_whole_folder(
    bench: Bench, host: GitHost
) -> None:
    """A page that includes a file beside the docs gets it."""
    page = '# Hi\n\n--8<-- "src/a.py"\n'
    host.commit("box", {**SITE, "docs/index.md": page})
    assert "src/a.py" in files(await bench.git())


async def test_included_sites_are_fetched_and_watched(
    bench: Bench, host: GitHost
) -> None:
    """As the monorepo plugin will read them."""
    host.commit(
        "box",
        {
            "mkdocs.yml": "site_name: B\nnav: [{S: '*include sub/*/mkdocs.yml'}]\n",
            "docs/index.md": "# I\n",
            "sub/a/mkdocs.yml": "site_name: a\n",
            "sub/a/docs/index.md": "# A\n",
        },
    )
    result = await bench.git()
    assert {"sub/a/mkdocs.yml", "sub/a/docs/index.md"} <= files(result)
    assert "sub/a/docs" in result.watched


async def test_size_limits_are_named_in_the_error(bench: Bench, host: GitHost) -> None:
    """For too many files and for too many bytes."""
    host.commit("box", {**SITE, "docs/b.md": "# B\n" * 100})
    with pytest.raises(TooLarge, match="more than 2 files"):
        await bench.git(limits=Limits(files=2))
    with pytest.raises(TooLarge, match="limit of 50 bytes"):
        await bench.git(limits=Limits(total_bytes=50))


async def test_docs_of_a_file_location_are_copied(bench: Bench, tmp_path: Path) -> None:
    """They have no commit and no edit link."""
    folder = tmp_path / "site"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "index.md").write_text("# Hi\n")
    (folder / ".git").mkdir()
    result = await bench.prepare(DocsSource("dir", str(folder)))
    assert files(result) == {"docs/index.md"}
    assert (result.commit, result.edit_link, result.watched) == (None, None, ())
    (folder / "docs" / "evil.md").symlink_to("/etc/passwd")
    with pytest.raises(Invalid, match=r"docs/evil.md': the link leads") as refused:
        await bench.prepare(DocsSource("dir", str(folder)))
    assert str(folder) not in refused.value.message
    (folder / "docs" / "evil.md").unlink()
    (folder / "docs" / "same.md").symlink_to("index.md")
    (folder / "docs" / "all").symlink_to("../docs")
    copied = await bench.prepare(DocsSource("dir", str(folder)))
    assert files(copied) == {"docs/index.md", "docs/same.md"}
    assert any("docs/all: the link leads to a folder that" in x for x in bench.log)


async def test_a_missing_source_is_named(bench: Bench, host: GitHost) -> None:
    """Unknown hosts, repositories and folders have different errors."""
    with pytest.raises(Invalid, match="on no Git host"):
        await bench.prepare(DocsSource("url", "https://elsewhere.example/a/b"))
    with pytest.raises(NotFound, match="no repository box"):
        await bench.git()
    with pytest.raises(NotFound, match="no folder 'gone'"):
        await bench.prepare(DocsSource("dir", "/nowhere/gone"))
    assert bench.sources.locate(
        DocsSource("url", ROOT, "../up", base_is_folder=False)
    ) == (DocsFolder("up", HOST, "box", "main"))


async def test_a_reference_to_a_file_must_name_its_folder(
    bench: Bench, host: GitHost, tmp_path: Path
) -> None:
    """In a repository, at its top too, and on this machine."""
    host.commit("box", {**SITE, "svc/mkdocs.yml": "site_name: B\n"})
    tail = "is a file; name the folder that has mkdocs.yml and the pages: "
    for path, folder in (("svc/mkdocs.yml", "svc"), ("mkdocs.yml", "the top folder")):
        with pytest.raises(Invalid, match=f"techdocs-ref: {path} {tail}{folder}$"):
            await bench.git(path)
    (tmp_path / "svc").mkdir()
    (tmp_path / "svc/mkdocs.yml").write_text("site_name: B\n")
    with pytest.raises(Invalid, match=f"techdocs-ref: svc/mkdocs.yml {tail}svc$"):
        await bench.prepare(DocsSource("dir", str(tmp_path / "svc/mkdocs.yml")))
