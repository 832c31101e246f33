"""mkdocs in a process of its own: what comes out, and what cannot come in."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.techdocs.generator.job import Job
from services.techdocs.model import Generated
from services.techdocs.stages.generate import ProcessGenerator
from shared.contracts.errors import Invalid, Unavailable
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
CONFIG = "site_name: Docs\nplugins: [techdocs-core]\n"
Make = Callable[..., Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def generator() -> AsyncIterator[ProcessGenerator]:
    async with ProcessGenerator(60) as made:
        yield made


@pytest.fixture
def generate(tmp_path: Path, generator: ProcessGenerator) -> Make:
    """Builds a site of these files."""

    async def make(
        files: Mapping[str, str], by: ProcessGenerator | None = None, **job: Any
    ) -> tuple[Generated, list[str]]:
        folders = {name: tmp_path / name for name in ("source", "out", "record")}
        for folder in folders.values():
            folder.mkdir()
        for name, text in files.items():
            path = folders["source"] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, errors="surrogateescape")
        config = "mkdocs.yml" if "mkdocs.yml" in files else None
        paths = {name: str(folder) for name, folder in folders.items()}
        given = {"title": "Web", "config": config, **paths, **job}
        log: list[str] = []
        made = await (by or generator).generate(Job(**given), log.append)
        return made, log

    return make


def page(made: Generated, name: str = "index.html") -> str:
    return (Path(made.out) / name).read_text()


def summary(made: Generated) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(made.record) / "site.json").read_text())
    return found


async def test_a_site_as_backstage_makes_it(generate: Make) -> None:
    """Title, metadata, search entries, navigation and edit links are all there."""
    made, log = await generate(
        {
            "mkdocs.yml": CONFIG + "site_description: All\n"
            "nav: [{Home: index.md}, {More: [{Guide: a/guide.md}]}]\n",
            "docs/index.md": "# Hello\n\n!!! note\n    Zebra :smile:\n",
            "docs/a/guide.md": "# Guide\n\n## Install & run\n\nxylophone\n",
        },
        edit_link="https://git.example/r/edit/main/{path}",
        repository_url="https://git.example/r",
        etag="e1",
    )
    assert "<title>Docs</title>" in page(made)
    assert "<title>Guide - Docs</title>" in page(made, "a/guide/index.html")
    metadata = json.loads(page(made, "techdocs_metadata.json"))
    assert (metadata["site_name"], metadata["site_description"]) == ("Docs", "All")
    assert metadata["etag"] == "e1"
    assert {"index.html", "a/guide/index.html", "techdocs_metadata.json"} <= set(
        metadata["files"]
    )
    found = summary(made)
    assert found["nav"][1]["children"][0]["path"] == "a/guide"
    assert found["pages"][1]["edit_url"].endswith("/edit/main/docs/a/guide.md")
    sections = json.loads((Path(made.record) / "sections.json").read_text())
    assert {
        "path": "a/guide/#install-run",
        "title": "Install & run",
        "text": "xylophone",
    } in sections
    assert made.pages == 2
    assert any("Documentation built" in line for line in log)


async def test_a_site_without_configuration(generate: Make) -> None:
    """No mkdocs.yml: the entity's title and the folder `docs`."""
    made, _ = await generate({"docs/index.md": "# Hi\n"})
    assert "<title>Web</title>" in page(made)


async def test_what_is_left_out_is_told(generate: Make) -> None:
    """Hooks do not run, and the writer reads why."""
    hook = "import pathlib\npathlib.Path('docs/hooked.md').write_text('x')\n"
    made, log = await generate(
        {
            "mkdocs.yml": CONFIG + "hooks: [hook.py]\n",
            "hook.py": hook,
            "docs/index.md": "# Hi\n",
        }
    )
    assert not (Path(made.out) / "hooked").exists()
    assert any("hooks is not allowed" in line for line in log)
    assert any("hooks" in line for line in made.warnings)


async def test_a_module_beside_the_docs_is_not_imported(generate: Make) -> None:
    """A file named like a library does not take its place."""
    made, _ = await generate(
        {
            "mkdocs.yml": CONFIG,
            "mkdocs.py": "raise SystemExit(9)",
            "yaml.py": "raise SystemExit(9)",
            "docs/index.md": "# Hi\n",
        }
    )
    assert made.pages == 1


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"mkdocs.yml": "site_name: [", "docs/index.md": ""}, "not valid YAML"),
        ({"mkdocs.yml": CONFIG + "docs_dir: ../..\n"}, "leaves the documentation"),
        ({"mkdocs.yml": CONFIG, "docs/a.txt": ""}, "there is no page"),
        (
            {"mkdocs.yml": CONFIG, "docs/old.md": "# Gr\udcf6n"},
            r"old.md: it is not UTF-8 text \(byte 5\)",
        ),
        (
            {"mkdocs.yml": CONFIG + "strict: true\n", "docs/index.md": "[x](no.md)"},
            "no.md",
        ),
        (
            {
                "mkdocs.yml": CONFIG + "nav: [{A: '!include b.yml'}]\n",
                "docs/index.md": "",
            },
            "b.yml does not exist",
        ),
        ({"mkdocs.yml": CONFIG + "site_url: 7\n", "docs/index.md": ""}, "site_url"),
        (
            {
                "mkdocs.yml": CONFIG
                + "markdown_extensions: [{toc: {toc_depth: deep}}]\n",
                "docs/index.md": "",
            },
            "^mkdocs.yml: markdown_extensions: .* 'toc'. ValueError: invalid literal",
        ),
        (
            {
                "mkdocs.yml": "site_name: x\n"
                "plugins: [techdocs-core, {search: {lang: [5]}}]\n",
                "docs/index.md": "",
            },
            "^mkdocs.yml: plugins.lang: AttributeError",
        ),
        (
            {
                "mkdocs.yml": CONFIG
                + "exclude_docs: |\n"
                + "".join(f"  {'*a' * 30}{number}\n" for number in range(800)),
                "docs/index.md": "",
            },
            "^mkdocs.yml: exclude_docs: ",
        ),
    ],
)
async def test_a_build_that_cannot_be_says_why(
    generate: Make, files: Mapping[str, str], reason: str
) -> None:
    """The reason names the file or the setting."""
    with pytest.raises(Invalid, match=reason):
        await generate(files)


async def test_snippets_from_outside_are_not_read(
    generate: Make, tmp_path: Path
) -> None:
    """Neither an absolute nor a climbing path brings a file of this machine."""
    secret = tmp_path.parent / "secret.txt"
    secret.write_text("the-secret-word")
    made, _ = await generate(
        {
            "mkdocs.yml": CONFIG,
            "docs/index.md": f'# Hi\n\n--8<-- "{secret}"\n\n'
            '--8<-- "../../secret.txt"\n',
        }
    )
    assert "the-secret-word" not in page(made)


async def test_diagrams_from_outside_are_not_read(
    generate: Make, tmp_path: Path
) -> None:
    """A diagram's source outside the folder is never shown."""
    secret = tmp_path.parent / "diagram.txt"
    secret.write_text("the-secret-word")
    text = f'# Hi\n\n```plantuml source="{secret}"\nx\n```\n'
    try:
        made, log = await generate({"mkdocs.yml": CONFIG, "docs/index.md": text})
    except Invalid as refused:
        # Where plantuml is installed, its extension tries, and the walls stop it.
        assert refused.message.startswith("index.md: diagram.txt: files outside")  # noqa: PT017 - either way is right
    else:
        assert "the-secret-word" not in page(made) + "".join(log)


async def test_snippets_beside_the_pages_are_read(generate: Make) -> None:
    """A snippet from the documentation's own folder is put in."""
    made, _ = await generate(
        {
            "mkdocs.yml": CONFIG,
            "LICENSE.md": "Apache words",
            "docs/index.md": '# Hi\n\n--8<-- "LICENSE.md"\n',
        }
    )
    assert "Apache words" in page(made)


async def test_a_monorepo_of_docs_is_one_site(generate: Make) -> None:
    """Included configurations bring their pages, reduced to what is allowed."""
    made, _ = await generate(
        {
            "mkdocs.yml": CONFIG
            + "nav: [{Home: index.md}, {Sub: '!include sub/mkdocs.yml'}]\n",
            "docs/index.md": "# Top\n",
            "sub/mkdocs.yml": "site_name: sub\nhooks: [x.py]\n"
            "nav: [{Inner: index.md}]\n",
            "sub/docs/index.md": "# Inner words\n",
        }
    )
    assert "Inner words" in page(made, "sub/index.html")
    assert any("sub/mkdocs.yml: hooks" in line for line in made.warnings)


@pytest.mark.parametrize(
    ("pattern", "pages"),
    [
        ("parts/{a,b}/mkdocs.yml", {"a", "b"}),
        ("**/mkdocs.yml", {"a", "b", "c"}),
        ("parts/!(a)/mkdocs.yml", {"b", "c"}),
    ],
)
async def test_wildcards_of_includes_mean_what_they_mean_elsewhere(
    generate: Make, pattern: str, pages: set[str]
) -> None:
    """Braces, any depth and negation, with a title before them or without one."""
    parts = {
        f"parts/{name}/{path}": text
        for name in "abc"
        for path, text in {
            "mkdocs.yml": f"site_name: {name}\n",
            "docs/index.md": f"# Words of {name}\n",
        }.items()
    }
    nav = [{"Home": "index.md"}, {"Parts": f"*include {pattern}"}]
    made, _ = await generate(
        {
            "site.yml": f"site_name: All\nnav: {json.dumps(nav)}\n",
            "docs/index.md": "# Top\n",
            **parts,
        },
        config="site.yml",
    )
    assert {name for name in "abc" if (Path(made.out) / name).is_dir()} == pages


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{a,b}" * 20 + ".yml", "means over 256 patterns"),
        ("x/*.md", "must name a YAML file"),
        ("../*/mkdocs.yml", "leaves the documentation's folder"),
    ],
)
async def test_wildcards_of_includes_are_bounded(
    generate: Make, pattern: str, reason: str
) -> None:
    """What a pattern may mean is counted before anything is looked for."""
    nav = json.dumps([f"*include {pattern}"])
    files = {"mkdocs.yml": f"site_name: A\nnav: {nav}\n", "docs/index.md": "# Hi\n"}
    with pytest.raises(Invalid, match=reason):
        await generate(files)


async def test_an_included_site_needs_a_name(generate: Make) -> None:
    """The error says which file has none."""
    nav = json.dumps([{"Parts": "*include */mkdocs.yml"}])
    with pytest.raises(Invalid, match=r"^a/mkdocs.yml: site_name is missing"):
        await generate(
            {
                "mkdocs.yml": f"site_name: A\nnav: {nav}\n",
                "docs/index.md": "# Hi\n",
                "a/mkdocs.yml": "docs_dir: docs\n",
            }
        )


async def test_links_begin_with_no_foreign_scheme(generate: Make) -> None:
    """What settings put before links is a path or an address of the web."""
    config = CONFIG + (
        "edit_uri: 'file:///x/'\nmarkdown_extensions:\n"
        "  - wikilinks: {base_url: 'javascript:alert(1)//'}\n"
    )
    made, _ = await generate(
        {"mkdocs.yml": config, "docs/index.md": "# Hi\n\n[[Seats]]\n"}
    )
    assert "file:" not in page(made)
    assert "alert(1)" not in page(made)
    assert 'href="/Seats/"' in page(made)
    told = [line for line in made.warnings if "begin with https://" in line]
    assert len(told) == 2


async def test_links_that_cannot_be_taken_apart_break_no_site(generate: Make) -> None:
    """Half an address of IPv6, or a host that is another one when normalized."""
    body = (
        "# Hi\n\n[a](http://[x) <http://[y> ![b](//[z) [c](http://a\u2100b/)\n\n"
        '<a href="http://[w">raw</a> fine [d][e]\n\n[e]: http://[v\n'
    )
    made, _ = await generate({"docs/index.md": body})
    assert "fine" in page(made)


async def test_a_build_that_takes_too_long_is_stopped(generate: Make) -> None:
    """The limit of time is told, and nothing is left running."""
    async with ProcessGenerator(0.05) as hasty:
        with pytest.raises(Invalid, match="longer than") as raised:
            await generate({"docs/index.md": "# Hi\n"}, by=hasty)
    assert raised.value.code == "stopped"


async def test_a_build_that_takes_too_much_memory_is_stopped(generate: Make) -> None:
    """The limit of memory ends the build, not the service."""
    text = "# Hi\n\n" + "word " * 400_000
    with pytest.raises(Invalid, match="more than 64 MB of memory"):
        await generate({"docs/index.md": text}, memory_bytes=64 * 1024**2)


async def test_the_environment_does_not_reach_the_build(
    generate: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration that asks for our secrets gets nothing."""
    monkeypatch.setenv("CALLBOARD_SERVICE_SECRET", "very-secret-value")
    made, _ = await generate(
        {
            "mkdocs.yml": CONFIG + "copyright: !ENV [CALLBOARD_SERVICE_SECRET, none]\n",
            "docs/index.md": "# Hi\n",
        }
    )
    assert "very-secret-value" not in page(made)


async def test_one_build_leaves_nothing_for_the_next(
    generate: Make, tmp_path: Path
) -> None:
    """The same files give the same page, whoever was built before."""
    files = {"mkdocs.yml": CONFIG, "docs/index.md": "# Hi\n\n```python\nx\n```\n"}
    first, _ = await generate(files)
    before = page(first)
    for name in ("source", "out", "record"):
        (tmp_path / name).rename(tmp_path / f"{name}-1")
    again, _ = await generate(files)
    assert page(again) == before


async def test_a_generator_whose_pipe_is_broken_is_over(
    generate: Make, tmp_path: Path
) -> None:
    """It still stands, but takes no work any more: the next try has a new one."""
    async with ProcessGenerator(30) as doomed:
        await doomed.warm_up()
        assert doomed._process is not None
        assert doomed._process.stdin is not None
        doomed._process.stdin.transport.abort()
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await generate({"docs/index.md": "# Hi\n"}, by=doomed)
        for name in ("source", "out", "record"):
            (tmp_path / name).rename(tmp_path / f"{name}-1")
        made, _ = await generate({"docs/index.md": "# Hi\n"}, by=doomed)
        assert made.pages == 1


async def test_a_generator_that_dies_is_started_anew(
    generate: Make, tmp_path: Path
) -> None:
    """Whoever waited is told to try again, and trying again works."""
    async with ProcessGenerator(30) as doomed:
        waiting = asyncio.ensure_future(
            generate({"docs/index.md": "# Hi\n"}, by=doomed)
        )
        await until(lambda: [r for r in doomed._running.values() if r.pid], what="work")
        assert doomed._process is not None
        doomed._process.kill()
        with pytest.raises(Unavailable):
            await waiting
        for name in ("source", "out", "record"):
            (tmp_path / name).rename(tmp_path / f"{name}-1")
        made, _ = await generate({"docs/index.md": "# Hi\n"}, by=doomed)
        assert made.pages == 1
