"""Other people's HTML, made fit to stand in a page of ours."""

import pytest

from services.techdocs.articles import Surroundings, safe_article

AROUND = Surroundings(
    url="guide/deep/",
    pages_root="/docs/default/component/web/",
    files_root="/api/techdocs/assets/default/component/web/",
    pages=("", "guide", "guide/deep"),
    is_file=("guide/slides.pdf", "guide/price list.xlsx").__contains__,
)


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="javascript:alert(1)">x</a>',
        '<a href="data:text/html,<script>1</script>">x</a>',
        "<iframe src=https://evil.example></iframe>",
        "<svg onload=alert(1)><script>1</script></svg>",
        "<style>body{display:none}</style>",
        '<form action="/x"><input type=submit formaction="/y"></form>',
        '<math><mtext><table><mglyph><style><img src=x onerror="1">',
        '<p style="position:fixed">x</p>',
        '<meta http-equiv=refresh content="0;url=/x"><base href="//evil.example">',
        '<img src="data:text/html;base64,PHNjcmlwdD4=">',
        '<div hx-get="/api/x" data-hx-post="/y">x</div>',
    ],
)
def test_active_content_is_removed(html: str) -> None:
    """Scripts, handlers, frames, forms, styles and actions of htmx."""
    result = safe_article(html, AROUND).lower()
    for word in (
        "script",
        "onerror",
        "onload",
        "iframe",
        "style",
        "<form",
        "submit",
        "javascript:",
        "data:text",
        "http-equiv",
        "<base",
        "hx-",
        "formaction",
        "<svg",
    ):
        assert word not in result


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("#install", "#install"),
        ("../", "/docs/default/component/web/guide/"),
        ("../../", "/docs/default/component/web/"),
        ("../index.html#top", "/docs/default/component/web/guide/#top"),
        ("../../../../..", "/docs/default/component/web/"),
        (
            "../slides.pdf",
            "/api/techdocs/assets/default/component/web/guide/slides.pdf",
        ),
        (
            "../price%20list.xlsx",
            "/api/techdocs/assets/default/component/web/guide/price%20list.xlsx",
        ),
        ("../gone.md#x", "/docs/default/component/web/guide/gone.md#x"),
        ("../gone.pdf", "/docs/default/component/web/guide/gone.pdf"),
        ("../gone", "/docs/default/component/web/guide/gone"),
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("mailto:a@example.org", "mailto:a@example.org"),
        ("/catalog", "/catalog"),
    ],
)
def test_relative_links_become_addresses_of_the_portal(link: str, target: str) -> None:
    """A link to a page becomes the portal's, one to a file the assets route's.

    A link to neither becomes the portal's too, which says that there is no such page.
    """
    assert f'href="{target}"' in safe_article(f'<a href="{link}">x</a>', AROUND)


@pytest.mark.parametrize("address", ["http://[x", "//[", "http://a\u2100b/"])
def test_an_unparsable_link_is_removed(address: str) -> None:
    """The page is shown without the link."""
    html = (
        f'<p>before <a href="{address}">x</a> <img src="{address}" alt="A"> after</p>'
    )
    article = safe_article(html, AROUND)
    assert "before" in article
    assert "after" in article
    assert address not in article


def test_pictures_come_from_the_assets_route() -> None:
    """A picture beside a page is shown whatever the page's address is."""
    result = safe_article('<img src="../../img/a b.png" alt="A">', AROUND)
    assert 'src="/api/techdocs/assets/default/component/web/img/a%20b.png"' in result
    inline = '<img src="data:image/png;base64,AAAA" alt="A">'
    assert "data:image/png;base64,AAAA" in safe_article(inline, AROUND)


def test_harmless_markup_stays() -> None:
    """Anchors, admonitions, tabs, task lists, tables and highlighted code."""
    html = (
        '<h2 id="a">A<a class="headerlink" href="#a" title="Link">¶</a></h2>'
        '<div class="admonition note"><p class="admonition-title">Note</p></div>'
        '<input id="t_1" name="t" type="radio" checked><label for="t_1">One</label>'
        '<table><thead><tr><th align="left">x</th></tr></thead></table>'
        '<div class="highlight"><pre><span class="n">x</span></pre></div>'
        "<details open><summary>More</summary></details>"
        '<p align="center"><img src="a.png" align="right"></p>'
    )
    result = safe_article(html, AROUND)
    for part in (
        'id="a"',
        'class="admonition note"',
        'type="radio"',
        'for="t_1"',
        "<thead>",
        'class="n"',
        "<summary>",
        '<p align="center">',
        'align="right"',
    ):
        assert part in result
