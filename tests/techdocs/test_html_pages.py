"""Pages that authors wrote as HTML, beside those of Markdown."""

from pathlib import Path

import pytest

from services.techdocs.generator import html_pages
from shared.contracts.errors import Invalid
from tests.techdocs.generating import CONFIG, Make, summary
from tests.techdocs.installation import Running

PAGES = "/pages/default/component/box"
ROOT = "/docs/default/component/box"
API = """<!doctype html><html><head><title>The &amp; API</title>
<style>body { color: red }</style><script>alert(1)</script></head>
<body class="bar" onload="x()"><h1 id="top" class="top">API</h1>
<p style="position:fixed" hx-get="/x">text</p><form action="/x"><input></form>
<a href="guide/">guide</a> <a href="java/">java</a> <img src="img/a.png">
<svg viewBox="0 0 1 1"><script>y()</script></svg><iframe src="x"></iframe>
</body></html>"""


async def test_html_is_shown_as_a_page(techdocs: Running) -> None:
    """Without scripts, styles and forms; links and pictures as in other pages."""
    files = {
        "mkdocs.yml": CONFIG + "nav: [{Home: index.md}, {API: api.html}]\n",
        "docs/index.md": "# Hi\n\n[api](api.html)\n",
        "docs/guide.md": "# Guide\n",
        "docs/api.html": API,
        "docs/java/index.html": "<p>Java <a href='../api.html#top'>api</a></p>",
        "docs/img/a.png": "x",
    }
    techdocs.host.commit("box", files)
    await techdocs.document("box")
    state = await techdocs.built("box")
    assert [item["path"] for item in state["nav"]] == ["", "api.html"]
    assert {page["path"] for page in state["pages"]} == {
        *("", "guide", "api.html", "java"),
    }
    page = (await techdocs.get(f"{PAGES}/api.html")).json()
    assert (page["path"], page["title"]) == ("api.html", "The & API")
    html = page["html"]
    assert html.startswith('<h1 id="top">API</h1>')
    assert f'href="{ROOT}/guide/"' in html
    assert f'href="{ROOT}/java/"' in html
    assert 'src="/api/techdocs/assets/default/component/box/img/a.png"' in html
    assert 'class="drawing"' in html
    for word in ("script", "alert", "style", "color", "form", "input", "hx-", "iframe"):
        assert word not in html, word
    index = (await techdocs.get(PAGES)).json()
    assert f'href="{ROOT}/api.html/"' in index["html"]
    java = (await techdocs.get(f"{PAGES}/java/index.html")).json()
    assert (java["path"], java["title"]) == ("java", "java/index.html")
    assert f'href="{ROOT}/api.html/#top"' in java["html"]
    [warning] = [line for line in state["warnings"] if "api.html" in line]
    assert warning == "api.html: scripts, forms and frames are not shown"


async def test_what_is_over_the_limits_stays_a_file(techdocs: Running) -> None:
    """And so does what nests too deeply: the site is built all the same."""
    files = {
        "docs/index.md": "# Hi\n",
        "docs/deep.html": "<div>" * 300,
        "docs/plain.html": "<p>plain</p>",
    }
    techdocs.host.commit("box", files)
    await techdocs.document("box")
    state = await techdocs.built("box")
    assert {page["path"] for page in state["pages"]} == {"", "plain.html"}
    assert (await techdocs.get(f"{PAGES}/deep.html")).status_code == 404
    assert [line for line in state["warnings"] if "deep.html: elements are" in line]


@pytest.mark.asyncio(loop_scope="module")
async def test_files_of_html_count_as_pages(generate: Make) -> None:
    """They do not make a build fail that had room before."""
    files = {f"docs/{n}.html": "<p>x</p>" for n in range(4)}
    generated, _ = await generate({"docs/index.md": "# Hi\n", **files}, pages=3)
    paths = [page["path"] for page in summary(generated)["pages"]]
    assert paths == ["", "0.html", "1.html"]


@pytest.mark.asyncio(loop_scope="module")
async def test_html_alone_is_no_site(generate: Make) -> None:
    """The theme's pages need one of Markdown."""
    with pytest.raises(Invalid, match="there is no page"):
        await generate({"docs/api.html": "<p>x</p>"})


def test_large_files_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before they are read: their sizes are summed up."""
    monkeypatch.setattr(html_pages, "BYTES", 25)
    files = []
    for name, size in (("a", 10), ("b", 20), ("c", 15), ("d", 1)):
        file = html_pages.File(f"{name}.html", "", str(tmp_path), True)
        Path(file.abs_dest_path).write_text("x" * size)
        files.append(file)
    chosen = html_pages.html_files([*reversed(files)], 10)
    assert [file.src_uri for file in chosen] == ["a.html", "c.html"]
