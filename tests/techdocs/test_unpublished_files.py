"""Links to files that mkdocs leaves out of a site are dead links, and named as such."""

from typing import Any

import pytest

from tests.techdocs.generating import CONFIG, Make, page, summary

pytestmark = pytest.mark.asyncio(loop_scope="module")

HIDDEN = {
    "docs/deep/.hidden/x.md": "# X\n",
    "docs/.dot.png": "x",
    "docs/out.md": "# Out\n",
    "docs/left/index.md": "# Left\n",
}
EXCLUDED = CONFIG + "exclude_docs: |\n  out.md\n  left/\n"


def names_in(warnings: list[str], part: str) -> set[str]:
    """The files that warnings with these words begin with."""
    return {line.partition(":")[0] for line in warnings if part in line}


@pytest.mark.parametrize(
    ("link", "file"),
    [
        ("[a](deep/.hidden/x.md)", "deep/.hidden/x.md"),
        ("[a](deep/.hidden/x.md#part)", "deep/.hidden/x.md"),
        ("[a](./deep/%2Ehidden/x.md?q)", "deep/.hidden/x.md"),
        ("[a][b]\n\n[b]: deep/.hidden/x.md", "deep/.hidden/x.md"),
        ("![a](.dot.png)", ".dot.png"),
        ("![a][b]\n\n[b]: .dot.png", ".dot.png"),
        ("[a](out.md)", "out.md"),
        ("[a](left/)", "left/index.md"),
        ("[a](left)", "left/index.md"),
        ('--8<-- "docs/snippet.txt"', "out.md"),
        ('<a href="deep/.hidden/x/">a</a>', "deep/.hidden/x.md"),
        ('<p><img src=".dot.png"></p>', ".dot.png"),
        ('<picture><source srcset=".dot.png 2x"></picture>', ".dot.png"),
    ],
)
async def test_a_link_to_an_unpublished_file_is_named_by_a_warning(
    generate: Make, link: str, file: str
) -> None:
    """A link, a picture, those of a snippet and those of raw HTML: one rule."""
    generated, log = await generate(
        {
            "mkdocs.yml": EXCLUDED,
            "docs/index.md": f"# Hi\n\n{link}\n",
            "docs/snippet.txt": "[a](out.md)\n",
            **HIDDEN,
        }
    )
    part = "is linked from index.md, but not published"
    assert names_in(list(generated.warnings), part) == {file}
    assert any(line.startswith(f"WARNING -  {file}: {part}") for line in log)


async def test_a_link_to_an_unpublished_file_stays_as_it_is_written(
    generate: Make,
) -> None:
    """No address is made of it, and mkdocs warns as of any other dead link."""
    generated, _ = await generate(
        {"docs/index.md": "[a](deep/.hidden/x.md) [b](absent.md)\n", **HIDDEN}
    )
    html = page(generated)
    assert 'href="deep/.hidden/x.md"' in html
    assert 'href="absent.md"' in html
    dead = [line for line in generated.warnings if "is not found among" in line]
    assert len(dead) == 2


async def test_an_unpublished_page_of_the_navigation_is_named_by_a_warning(
    generate: Make,
) -> None:
    """It has no page of the site, with an anchor or without."""
    nav = "nav: [index.md, out.md, {Deep: 'deep/.hidden/x.md#a'}]\n"
    generated, _ = await generate(
        {"mkdocs.yml": EXCLUDED + nav, "docs/index.md": "# Hi\n", **HIDDEN}
    )
    items: list[dict[str, Any]] = summary(generated)["nav"]
    assert [item["path"] for item in items] == ["", None, None]
    assert items[2]["href"] == "deep/.hidden/x.md#a"
    lines = [line for line in generated.warnings if "'nav' configuration" in line]
    assert ["'out.md'" in lines[0], "x.md#a'" in lines[1]] == [True, True]


async def test_a_readme_leads_to_unpublished_files_in_the_repository(
    generate: Make,
) -> None:
    """As to all that the site does not have, in Markdown and in raw HTML."""
    generated, _ = await generate(
        {
            "docs/index.md": '[a](docs/out.md)\n\n<a href="docs/out.md">b</a>\n',
            "mkdocs.yml": EXCLUDED,
            **HIDDEN,
        },
        readme="README.md",
        source_link="https://git.example/{path}",
    )
    assert page(generated).count('href="https://git.example/docs/out.md"') == 2
    assert not generated.warnings


async def test_links_to_published_files_need_no_warning(generate: Make) -> None:
    """Neither do addresses of raw HTML outside of the site."""
    body = (
        "[a](p.md) ![b](d.png)\n\n"
        '<a href="p/">a</a> <a href="/out/">b</a> <a href="https://x.example/out/">c</a>'
        ' <a href="http://[x">d</a> <a href="#out">e</a> <img src="d.png">\n'
    )
    generated, _ = await generate(
        {
            "mkdocs.yml": EXCLUDED,
            "docs/index.md": body,
            "docs/p.md": "# P\n",
            "docs/d.png": "x",
            **HIDDEN,
        }
    )
    assert not generated.warnings
