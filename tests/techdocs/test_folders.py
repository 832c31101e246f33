"""Links to folders of pages, and the names of pages that end like a folder's index."""

import pytest

from services.techdocs.generator.pages import page_key
from tests.techdocs.installation import Running

PAGES = "/pages/default/component/box"
NAV = "nav: [{Home: index.md}, {Guides: guides/}, {Why: guides/why.md}]\n"


@pytest.mark.parametrize(("directories", "suffix"), [("true", ""), ("false", ".html")])
async def test_a_folder_without_an_index_is_its_first_page(
    techdocs: Running, directories: str, suffix: str
) -> None:
    """The first of the navigation, else by name; an HTML file of its own goes first."""
    config = f"site_name: Box\nuse_directory_urls: {directories}\n{NAV}"
    names = ("index", "guides/how", "guides/why", "b/c/two", "b/c/one", "api/more")
    files = {f"docs/{name}.md": f"# {name}\n" for name in names}
    files |= {"mkdocs.yml": config, "docs/api/index.html": "<h1>API</h1>"}
    techdocs.host.commit("box", files)
    await techdocs.document("box")
    state = await techdocs.built("box")
    links = [item["href"] for item in state["nav"] if "href" in item]
    assert links == ["/docs/default/component/box/guides/"]
    for folder, path in {
        "guides": f"guides/why{suffix}",
        "b": f"b/c/one{suffix}",
        "b/c": f"b/c/one{suffix}",
        "api": "api",
    }.items():
        page = (await techdocs.get(f"{PAGES}/{folder}")).json()
        assert page["path"] == path, folder
    for absent in ("guide", "b/c/on"):
        assert (await techdocs.get(f"{PAGES}/{absent}")).status_code == 404, absent


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("subindex.html", "subindex.html"),
        ("a/subindex.html", "a/subindex.html"),
        ("a/index.html", "a"),
        ("index.html", ""),
        ("./", ""),
        ("a/b/", "a/b"),
        ("index.html.md/", "index.html.md"),
    ],
)
def test_a_page_is_named_without_the_index_of_its_folder(path: str, key: str) -> None:
    """And whole where only the end of its name looks like one."""
    assert page_key(path) == key
