"""Titles of pages, headings and entries of the navigation are the writers' own text."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.techdocs.generator.pages import page_file
from services.techdocs.model import Generated
from tests.techdocs.generating import CONFIG, Make, summary

pytestmark = pytest.mark.asyncio(loop_scope="module")
MATERIAL = "site_name: Docs\nplugins: [{techdocs-core: {use_material_search: true}}]\n"


def sections(generated: Generated) -> dict[str, dict[str, str]]:
    text = (Path(generated.record) / "sections.json").read_text()
    return {section["path"]: section for section in json.loads(text)}


def stored(generated: Generated, key: str) -> dict[str, Any]:
    text = (Path(generated.record) / "pages" / page_file(key)).read_text()
    result: dict[str, Any] = json.loads(text)
    return result


@pytest.mark.parametrize("config", [CONFIG, MATERIAL])
async def test_titles_are_plain_text(generate: Make, config: str) -> None:
    """Headings are unescaped once; titles of front matter and of nav stay as written.

    The navigation, a page's contents, the list of pages and search have the same.
    """
    nav = "nav: [index.md, meta.md, {'N &amp; V': nav.md}, {'S &lt;': [code.md]}]\n"
    generated, _ = await generate(
        {
            "mkdocs.yml": config + nav,
            "docs/index.md": "# Q & A\n\n## Terms & Conditions\n\n"
            "## a < b and `x<y>`\n\nWrite `&lt;` for <.\n",
            "docs/meta.md": "---\ntitle: A &amp; B\n---\n# Other\n",
            "docs/nav.md": "# Other\n",
            "docs/code.md": "# `List<T>` and `&amp;`\n",
        }
    )
    site, entries = summary(generated), sections(generated)
    titles = ["Q & A", "A &amp; B", "N &amp; V", "List<T> and &amp;"]
    assert [page["title"] for page in site["pages"]] == titles
    assert [item["title"] for item in site["nav"]] == [*titles[:3], "S &lt;"]
    assert site["nav"][3]["children"][0]["title"] == titles[3]
    assert [entries[path]["title"] for path in ("", "meta/", "nav/", "code/")] == titles
    headings = ["Terms & Conditions", "a < b and x<y>"]
    toc = stored(generated, "")["toc"]
    assert [entry["title"] for entry in toc if entry["level"] == 2] == headings
    places = ("#terms-conditions", "#a-b-and-xy")
    assert [entries[place]["title"] for place in places] == headings
    assert "&lt;" in entries["#a-b-and-xy"]["text"]


@pytest.mark.parametrize("title", ["", "null", '""'])
async def test_empty_titles_of_front_matter_give_way_to_headings(
    generate: Make, title: str
) -> None:
    """A page is not called "None" for a title that says nothing."""
    page = f"---\ntitle: {title}\n---\n# Real\n"
    generated, _ = await generate({"docs/index.md": page})
    assert summary(generated)["nav"][0]["title"] == "Real"


async def test_entries_of_the_navigation_without_a_title_have_their_path(
    generate: Make,
) -> None:
    """Of missing files, of left out pages and of sections none is called "None"."""
    nav = "nav: [index.md, gone/x.md, out.md, {0: zero.md}, {null: [a.md]}]\n"
    generated, _ = await generate(
        {
            "mkdocs.yml": CONFIG + nav + "exclude_docs: out.md\n",
            **{f"docs/{name}.md": "# T\n" for name in ("index", "out", "zero", "a")},
        }
    )
    titles = [item["title"] for item in summary(generated)["nav"]]
    assert titles == ["T", "gone/x.md", "out.md", "0", ""]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("title: a: b", "line 2: mapping values are not allowed in this context"),
        ("tags: [x]\n\ntitle: 'a\nb: c", "line 4: found unexpected end of stream"),
        ("title: @x", "line 2: found character that cannot start any token"),
        ("title: a\n[]: x", "line 3: found unhashable key"),
        ("date: 2026-13-45", "a value cannot be read: month must be in 1..12"),
        ("draft: !!bool maybe", "a value cannot be read: 'maybe'"),
    ],
)
async def test_unreadable_front_matter_is_a_warning_of_the_build(
    generate: Make, block: str, problem: str
) -> None:
    """It names the page, the line and the reason; the text stays."""
    page = f"---\n{block}\n---\n# Real\n"
    generated, _ = await generate({"docs/index.md": "# I\n", "docs/bad.md": page})
    warnings = summary(generated)["warnings"]
    assert warnings == [f"bad.md: its front matter cannot be read: {problem}"]
    assert "Real" in stored(generated, "bad")["html"]


@pytest.mark.parametrize(
    "start",
    ["---\ntitle: A\n---\n", "---\nA sentence.\n---\n", "---\n", "---\n---\n", ""],
)
async def test_readable_front_matter_and_rules_are_no_warning(
    generate: Make, start: str
) -> None:
    """Text between two rules is text of the page, as mkdocs takes it."""
    generated, _ = await generate({"docs/index.md": f"{start}# Real\n\na: b: c\n"})
    assert summary(generated)["warnings"] == []
