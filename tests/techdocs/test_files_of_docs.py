"""Files beside the pages: named by the navigation, linked, played on a page."""

import re

import pytest

from tests.techdocs.installation import Running

CONFIG = """site_name: Box
use_directory_urls: {directories}
plugins:
  - techdocs-core
  - redirects: {{redirect_maps: {{old.md: guide.md}}}}
nav:
  - Home: index.md
  - One file: api.html
  - Javadoc: javadoc/index.html
  - Folder: javadoc/
  - Upper: 'pläne/Größe und Maß.HTML'
  - PDF: file.pdf
  - Query: 'api.html?a=1#b'
  - Section: [{{Part: 'guide.md#zwei'}}]
  - Guide: guide.md
  - Else: https://else.example/x.html
"""
PAGE = """# Hi

[1](api.html?a=1#b) [2](javadoc/index.html#m) [3](javadoc/) [4](file.pdf)
[5](<pläne/Größe und Maß.HTML>) <a href="javadoc/index.html">6</a>
"""
FILES: dict[str, str | bytes] = {
    "docs/index.md": PAGE,
    "docs/guide.md": "# Guide\n\n## Zwei\n",
    "docs/api.html": "<h1>Api</h1><script>x()</script>",
    "docs/javadoc/index.html": "<h1>Classes</h1>",
    "docs/pläne/Größe und Maß.HTML": "<h1>Size</h1>",
    "docs/file.pdf": b"%PDF-1.4",
    "docs/a.mp3": b"ID3",
}
DOCS = "/docs/default/component/box/"
ASSETS = "/api/techdocs/assets/default/component/box/"
UPPER = f"{DOCS}pl%C3%A4ne/Gr%C3%B6%C3%9Fe%20und%20Ma%C3%9F.HTML/"


async def publish(techdocs: Running, directories: str) -> None:
    config = {"mkdocs.yml": CONFIG.format(directories=directories)}
    techdocs.host.commit("box", {**config, **FILES})
    await techdocs.document("box")
    await techdocs.built("box")


@pytest.mark.parametrize(
    ("directories", "guide"), [("true", "guide/"), ("false", "guide.html/")]
)
async def test_files_in_the_navigation_have_their_addresses(
    techdocs: Running, directories: str, guide: str
) -> None:
    """Whatever their names; those of HTML and pages with an anchor are pages."""
    await publish(techdocs, directories)
    nav = (await techdocs.state("box"))["nav"]
    section = next(item for item in nav if item["children"])
    places = {
        item["title"]: item.get("href")
        for item in [*nav, *section["children"]]
        if item["path"] is None
    }
    pages = {item["title"]: item["path"] for item in nav if item["path"]}
    assert pages == {
        "One file": "api.html",
        "Javadoc": "javadoc",
        "Upper": "pläne/Größe und Maß.HTML",
        "Guide": guide.rstrip("/"),
    }
    assert places == {
        "Folder": f"{DOCS}javadoc/",
        "PDF": f"{ASSETS}file.pdf",
        "Query": f"{DOCS}api.html/?a=1#b",
        "Section": None,
        "Part": f"/docs/default/component/box/{guide}#zwei",
        "Else": "https://else.example/x.html",
    }


async def test_links_to_files_of_html_lead_to_their_pages(techdocs: Running) -> None:
    """Other files are downloads, with the headers of foreign content."""
    await publish(techdocs, "true")
    page = (await techdocs.get("/pages/default/component/box/")).json()
    folder = f"{DOCS}javadoc/"
    assert re.findall(r'<a href="(/[^"]+)"', page["html"]) == [
        f"{DOCS}api.html/?a=1#b",
        f"{folder}#m",
        folder,
        f"{ASSETS}file.pdf",
        UPPER,
        folder,
    ]
    answer = await techdocs.get("/assets/default/component/box/file.pdf")
    assert answer.status_code == 200
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-type"].startswith("application/octet")


@pytest.mark.parametrize(
    ("directories", "link", "former"),
    [("true", "old/", "old"), ("false", "old.html", "old.html")],
)
async def test_links_to_former_pages_lead_to_the_site(
    techdocs: Running, directories: str, link: str, former: str
) -> None:
    """Not to the file that the plugin writes for them."""
    page = f'# Hi\n\n<a href="{link}">1</a>\n'
    config = CONFIG.format(directories=directories)
    files = {**FILES, "mkdocs.yml": config, "docs/index.md": page}
    techdocs.host.commit("box", files)
    await techdocs.document("box")
    await techdocs.built("box")
    html = (await techdocs.get("/pages/default/component/box/")).json()["html"]
    assert f'href="/docs/default/component/box/{former}/"' in html


async def test_sounds_are_played_from_the_assets_route(techdocs: Running) -> None:
    """With their own media type, and from any place in them."""
    await publish(techdocs, "true")
    headers = {**techdocs.headers(), "range": "bytes=1-2"}
    address = "/assets/default/component/box/a.mp3"
    answer = await techdocs.client.get(address, headers=headers)
    assert (answer.status_code, answer.content) == (206, b"D3")
    assert answer.headers["content-type"] == "audio/mpeg"
    assert "content-disposition" not in answer.headers


async def test_links_to_absent_headings_are_warned_of(techdocs: Running) -> None:
    """Also where the site does not ask mkdocs for it; strict sites are still built."""
    page = "# Hi\n\n[a](guide.md#zwei) [b](guide.md#drei) [c](#vier)\n"
    config = "site_name: Box\nstrict: true\nplugins: [techdocs-core]\n"
    techdocs.host.commit("box", {**FILES, "mkdocs.yml": config, "docs/index.md": page})
    await techdocs.document("box")
    warnings = (await techdocs.built("box"))["warnings"]
    names = {name for line in warnings for name in re.findall(r"#\w+", line)[:1]}
    assert names == {"#drei", "#vier"}
