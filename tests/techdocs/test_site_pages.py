"""Pages as people name and link them: built by the real mkdocs, read by its record."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from services.techdocs.generator.job import Job
from services.techdocs.generator.pages import page_file
from services.techdocs.model import Generated
from services.techdocs.stages.generate import ProcessGenerator
from shared.contracts.errors import CallboardError
from tests.builders import LFS_POINTER
from tests.techdocs.generating import CONFIG, Make, set_aside, summary

pytestmark = pytest.mark.asyncio(loop_scope="module")
LINKS = {
    "edit_link": "https://git.example/r/edit/main/{path}",
    "source_link": "https://git.example/r/blob/main/{path}",
    "repository_url": "https://git.example/r",
}


@pytest.fixture
def generate(generate: Make) -> Make:
    """The site's record comes too."""

    async def make(
        files: Mapping[str, str], **job: Any
    ) -> tuple[Generated, dict[str, Any], list[str]]:
        generated, log = await generate(files, **job)
        return generated, summary(generated), log

    return make


def article(generated: Generated, key: str) -> dict[str, Any]:
    path = Path(generated.record) / "pages" / page_file(key)
    result: dict[str, Any] = json.loads(path.read_text())
    return result


async def test_page_names_are_unescaped_keys(generate: Make) -> None:
    """Spaces, umlauts, parentheses, `#`, dots and `%` are not escaped in keys."""
    names = ["Hand book (v3)", "Straße", "F#", "50%25", "2.1 notes", "a+b&c"]
    files = {f"docs/{name}.md": f"# {name}\n\n## Part\n" for name in names}
    generated, site, _ = await generate({"docs/index.md": "# Hi\n", **files})
    keys = {page["path"] for page in site["pages"]}
    assert keys == {"", *names}
    assert {item["path"] for item in site["nav"]} == keys
    for key in keys:
        assert article(generated, key)["path"] == key
    sections = json.loads((Path(generated.record) / "sections.json").read_text())
    assert {s["path"] for s in sections} >= {"F%23/#part", "50%2525/#part"}


async def test_links_of_a_readme_as_first_page_keep_their_targets(
    generate: Make,
) -> None:
    """Pages, anchors and pictures of the site; others lead to the repository."""
    readme = (
        "# Read\n\n[one](docs/adr.md) [two](./docs/adr.md#why) ![p](docs/d.svg)"
        " ![logo](art/logo.png) [mit](LICENSE) [top](/docs/adr.md) [dir](src/)"
        '\n\n<p><img src="docs/d.svg"> <a href=\'x\'>q</a> <a href="docs/adr.md">r</a>'
        '</p>\n\n`<img src="docs/d.svg">`\n'
        '\n<picture><source srcset="docs/d.svg 1x, art/logo.png 2x"></picture>'
        '<video src="docs/d.mp4" poster="docs/d.svg"></video>\n'
    )
    generated, site, _ = await generate(
        {
            "docs/index.md": readme,
            "docs/adr.md": "# A\n\n## Why\n\n[b](../README.md) [c](../src/a.py)\n",
            "docs/d.svg": "<svg/>",
            "docs/d.mp4": "film",
            "docs/_readme/art/logo.png": "x",
        },
        readme="README.md",
        **LINKS,
    )
    html = article(generated, "")["html"]
    assert 'href="adr/"' in html
    assert 'href="adr/#why"' in html
    assert html.count('href="adr/"') == 3
    assert html.count('src="d.svg"') == 2
    assert 'src="_readme/art/logo.png"' in html
    assert 'href="https://git.example/r/blob/main/LICENSE"' in html
    assert 'href="https://git.example/r/blob/main/src"' in html
    assert '<code>&lt;img src="docs/d.svg"&gt;</code>' in html
    assert 'srcset="d.svg 1x, _readme/art/logo.png 2x"' in html
    assert 'src="d.mp4" poster="d.svg"' in html
    adr = article(generated, "adr")["html"]
    assert 'href="../"' in adr
    assert 'href="https://git.example/r/blob/main/src/a.py"' in adr
    edits = {page["path"]: page["edit_url"] for page in site["pages"]}
    assert edits[""] == "https://git.example/r/edit/main/README.md"
    assert edits["adr"] == "https://git.example/r/edit/main/docs/adr.md"
    assert site["warnings"] == []


async def test_configured_edit_addresses_are_escaped(generate: Make) -> None:
    """Mkdocs appends the name as it is: blanks, `#` and `?` are escaped."""
    names = ("index.md", "début page.md", "c#/why?.md", "50%25.md")
    config = "repo_url: https://else.example/x\nedit_uri: e/main/\n"
    _, site, _ = await generate(
        {"mkdocs.yml": CONFIG + config, **{f"docs/{name}": "# A\n" for name in names}},
        **LINKS,
    )
    edits = {page["source"]: page["edit_url"] for page in site["pages"]}
    root = "https://else.example/x/e/main"
    assert edits == {name: f"{root}/{quote(name)}" for name in names}


async def test_pages_of_included_sites_link_to_their_own_files(generate: Make) -> None:
    """Also where folders have equal names or spaces."""
    generated, site, _ = await generate(
        {
            "mkdocs.yml": CONFIG
            + "nav: [{Home: index.md}, {Api: '!include docs api/m.yml'},"
            " {Own: '!include own/mkdocs.yml'}]\n",
            "docs/index.md": "# Hi\n\n[there](../docs%20api/docs/er%20rors.md)\n",
            "docs api/m.yml": "site_name: docs-api\n",
            "docs api/docs/index.md": "# Api\n",
            "docs api/docs/er rors.md": "# Errors\n",
            "own/mkdocs.yml": "site_name: own\nnav: [{I: index.md}]\n"
            "repo_url: https://else.example/x\nedit_uri: e/\n",
            "own/docs/index.md": "# Own\n",
        },
        folder="team",
        **LINKS,
    )
    edits = {page["path"]: page["edit_url"] for page in site["pages"]}
    root = "https://git.example/r/edit/main/team"
    assert edits[""] == f"{root}/docs/index.md"
    assert edits["docs-api"] == f"{root}/docs%20api/docs/index.md"
    assert edits["docs-api/er rors"] == f"{root}/docs%20api/docs/er%20rors.md"
    assert edits["own"] == "https://else.example/x/e/index.md"
    assert 'href="docs-api/er%20rors/"' in article(generated, "")["html"]


async def test_the_sites_own_edit_setting_applies(generate: Make) -> None:
    """`edit_uri: ""` means no edit links."""
    config = CONFIG + 'edit_uri: ""\n'
    _, site, _ = await generate({"mkdocs.yml": config, "docs/index.md": "#"}, **LINKS)
    assert site["pages"][0]["edit_url"] is None


async def test_a_site_without_an_index_names_its_first_page(generate: Make) -> None:
    """Without an index, readers begin at the first page of the navigation."""
    generated, site, _ = await generate(
        {
            "mkdocs.yml": CONFIG + "nav: [{Begin: be gin.md}, {A: a.md}]\n",
            "docs/be gin.md": "# B\n",
            "docs/a.md": "# A\n",
        }
    )
    assert site["pages"][0]["path"] == "be gin"
    assert 'url=be%20gin/"' in (Path(generated.out) / "index.html").read_text()
    metadata = json.loads((Path(generated.out) / "techdocs_metadata.json").read_text())
    assert "index.html" in metadata["files"]


async def test_diagrams_without_their_program_show_their_source(generate: Make) -> None:
    """The page is built; one warning says what to install, and where it is missed."""
    page = (
        '# D\n\n```plantuml format="svg"\n@startuml\nann -> bob\n@enduml\n```\n\n'
        "::uml::\ncyd -> dan\n::end-uml::\n\n"
        "{% dot x.svg\ndigraph { eve -> fay }\n%}\n\n"
        "````text\n::uml::\nas text\n::end-uml::\n````\n"
    )
    generated, site, _ = await generate({"docs/index.md": page, "docs/b.md": page})
    html = article(generated, "")["html"]
    for word in ("ann -", "cyd -", "eve -", "as text", "::end-uml::"):
        assert word in html
    plantuml = [line for line in site["warnings"] if line.startswith("plantuml")]
    graphviz = [line for line in site["warnings"] if line.startswith("graphviz")]
    assert len(plantuml) == len(graphviz) == 1
    assert "not installed" in plantuml[0]
    assert "b.md, index.md" in graphviz[0]


async def test_files_in_git_lfs_are_named_by_a_warning(generate: Make) -> None:
    """Pages and pictures; the site is built, and one line names the first of them."""
    pointer = LFS_POINTER.decode()
    files = [f"docs/p/{number}.png" for number in range(5)]
    generated, site, log = await generate(
        {
            "docs/index.md": "# Hi\n",
            "docs/b.md": pointer,
            **dict.fromkeys(files, pointer),
        }
    )
    names = "b.md, p/0.png, p/1.png, p/2.png, p/3.png and 1 more files"
    advice = "stored in Git LFS, which is not read: commit without LFS"
    assert site["warnings"] == [f"{names}: {advice}"]
    assert any(names in line for line in log)
    assert generated.pages == 2
    html = article(generated, "b")["html"]
    assert f"This page is {advice}." in html
    assert "sha256" not in html


async def test_pictures_of_other_hosts_are_named_by_a_warning(generate: Make) -> None:
    """One line for each host with its pages; own pictures need none."""
    _, site, _ = await generate(
        {
            "docs/index.md": "![a](https://i.example/a.svg?x&y) ![b](own.svg)\n",
            "docs/b.md": "<img src='//i.example/b.svg'> `<img src='//c.example'>`\n",
            "docs/own.svg": "<svg/>",
        }
    )
    assert len(site["warnings"]) == 1
    assert site["warnings"][0].startswith(
        "b.md, index.md: pictures, films and sounds of i.example are not shown"
    )


async def test_the_build_log_has_all_warnings_and_the_end(generate: Make) -> None:
    """No traceback, and no path of the server."""
    links = "".join(f"- [{n}](none-{n}.md)\n" for n in range(80))
    _, site, log = await generate({"docs/index.md": "# L\n" + links})
    assert sum("none-" in line for line in log) == 80
    assert len(site["warnings"]) == 80
    assert any("Documentation built" in line for line in log)
    text = "\n".join(log)
    assert "Traceback" not in text
    assert "Exception ignored" not in text
    assert "/tmp/" not in text
    assert len(log) < 100


async def test_a_huge_build_log_is_limited(generate: Make) -> None:
    """Of thousands of lines a limited part is passed on, with the end in it."""
    links = "".join(f"- [{n}](none-{n}.md)\n" for n in range(3000))
    _, site, log = await generate({"docs/index.md": "# L\n" + links})
    assert len(log) < 1100
    assert any("none-1.md" in line for line in log)
    assert any("lines left out" in line for line in log)
    assert any("Documentation built" in line for line in log)
    assert site["warnings"][-1] == "… and 2800 more warnings"


async def test_a_page_that_takes_too_long_is_named(tmp_path: Path) -> None:
    """A text that keeps regular expressions busy is stopped; the error has its page."""
    folders = {name: tmp_path / name for name in ("source/docs", "out", "record")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    (tmp_path / "source/docs/index.md").write_text("# Hi\n")
    slow = "![a](" * 5000 + "\n\n" + "[" * 30_000 + "\n\n" + "*" * 30_000 + "a\n"
    (tmp_path / "source/docs/slow.md").write_text(slow)
    paths = {name: str(tmp_path / name) for name in ("source", "out", "record")}
    async with ProcessGenerator(60) as generator:
        with pytest.raises(CallboardError) as raised:
            await generator.generate(
                Job(**paths, title="Web", cpu_seconds=2), [].append
            )
    assert raised.value.message == (
        "slow.md: mkdocs was stopped at this page: it used 2 s of processor time"
    )
    assert raised.value.code == "stopped"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("<div>" * 300, r"^bad\.md: elements are nested"),
        ("> " * 2000 + "x\n", r"^bad\.md: "),
        ("---\ntemplate: ../up.md\n---\n# x\n", r"^bad\.md: the theme has no template"),
        ("x\n\n---8<---", None),
    ],
)
async def test_a_failed_build_names_page_and_cause(
    generate: Make, page: str, reason: str | None
) -> None:
    """The headline is the page and the reason; no stack trace, no server path."""
    files = {"docs/index.md": "# Hi\n", "docs/bad.md": page}
    if reason is None:
        await generate(files)
        return
    with pytest.raises(CallboardError, match=reason) as raised:
        await generate(files)
    assert "/source" not in raised.value.message


async def test_too_many_pages_and_too_much_output_are_refused(
    generate: Make, tmp_path: Path
) -> None:
    """The output of a small source is limited while it grows."""
    files = {f"docs/p{n}.md": "# P\n" for n in range(20)}
    with pytest.raises(CallboardError, match="20 pages are over the limit of 10"):
        await generate(files, pages=10)
    set_aside(tmp_path)
    with pytest.raises(CallboardError, match="the site is larger than 0 MB"):
        await generate(files, output_bytes=100_000)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("docs/", "./"),
        ("docs", "./"),
        ("docs/how", "how/"),
        ("how/../docs/how/index.md#x", "how/#x"),
        ("<docs/my page.md>", "my%20page/"),
        ("../other/x.md", "https://git.example/r/blob/main/other/x.md"),
        ("../../up.md", "../../up.md"),
        ("#here", "#here"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("//else.example/docs/how", "//else.example/docs/how"),
    ],
)
async def test_links_of_a_readme_are_resolved(
    generate: Make, link: str, target: str
) -> None:
    """A folder is its first page; links above the repository are removed."""
    generated, _, _ = await generate(
        {
            "docs/index.md": f"# R\n\n[l]({link})\n",
            "docs/how/index.md": "# How\n",
            "docs/my page.md": "# My\n",
        },
        readme="README.md",
        folder="team",
        **LINKS,
    )
    assert f'href="{target}"' in article(generated, "")["html"]
