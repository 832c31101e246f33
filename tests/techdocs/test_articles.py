"""Other people's HTML, made fit to stand in a page of ours."""

import pytest

from services.techdocs.articles import Surroundings, safe_article

HTML_ROOT = "/api/techdocs/static/docs/default/component/web/"
AROUND = Surroundings(
    url="guide/deep/",
    pages_root="/docs/default/component/web/",
    files_root="/api/techdocs/assets/default/component/web/",
    pages=("", "guide", "guide/deep"),
    is_file=(
        *("guide/slides.pdf", "guide/price list.xlsx", "guide/API ü.HTML"),
        *("guide/javadoc/index.html", "old/index.html", "index.html"),
    ).__contains__,
    html_root=HTML_ROOT,
    redirects=("old",),
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
        (
            "../API%20%C3%BC.HTML?a=b#c",
            f"{HTML_ROOT}guide/API%20%C3%BC.HTML?a=b#c",
        ),
        ("../javadoc", f"{HTML_ROOT}guide/javadoc/index.html"),
        ("../javadoc/#m", f"{HTML_ROOT}guide/javadoc/index.html#m"),
        ("../javadoc/index.html?a", f"{HTML_ROOT}guide/javadoc/index.html?a"),
        ("../../old/", "/docs/default/component/web/old/"),
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


def test_films_and_sounds_come_from_the_assets_route() -> None:
    """With controls, whatever the author says, and nothing plays by itself."""
    result = safe_article(
        '<video src="../v.mp4#t=3" poster="p.png" autoplay onplay="x()" muted>'
        '<track src="../a.vtt" kind="captions" srclang="en" default></video>'
        '<audio autoplay><source src="/x/a.mp3" type="audio/mpeg">'
        '<source src="data:audio/mpeg;base64,AAAA"></audio>',
        AROUND,
    )
    root = AROUND.files_root
    assert f'src="{root}guide/v.mp4#t=3"' in result
    assert f'poster="{root}guide/deep/p.png"' in result
    assert f'<track src="{root}guide/a.vtt" kind="captions"' in result
    assert '<source src="/x/a.mp3" type="audio/mpeg">' in result
    assert result.count('controls=""') == 2
    for word in ("autoplay", "onplay", "data:"):
        assert word not in result


@pytest.mark.parametrize(
    ("srcset", "result_srcset"),
    [
        ("a.png", "{}a.png"),
        ("a.png 1x,b%20c.png 2x", "{}a.png 1x, {}b%20c.png 2x"),
        ("a.png, b.png\n 640w , ", "{}a.png, {}b.png 640w"),
        ("data:image/png;base64,AA 1.5x", "data:image/png;base64,AA 1.5x"),
        ("data:text/html,x 1x, a.png evil", "{}a.png"),
        ("javascript:1 1x, a.png", "{}a.png"),
    ],
)
def test_each_picture_of_a_set_is_rewritten(srcset: str, result_srcset: str) -> None:
    """What cannot be a picture is left out."""
    result = safe_article(f'<picture><source srcset="{srcset}"></picture>', AROUND)
    address = result_srcset.replace("{}", f"{AROUND.files_root}guide/deep/")
    assert f'srcset="{address}"' in result


def test_pictures_keep_the_scheme_of_colours_that_they_are_for() -> None:
    """The portal's style sheet shows one of the two."""
    result = safe_article('<img src="a.png#only-dark" alt="">', AROUND)
    assert 'a.png#only-dark"' in result


def test_nothing_is_filled_in_on_a_page() -> None:
    """Marks of task lists stay, out of use; fields are no marks."""
    html = (
        '<input type="text" value="a>b" title="a>b"><input><input type="image" src="x">'
        '<input type="checkbox" checked title="x>y"><input disabled type="CHECKBOX">'
        '<input type="radio" name="t">'
    )
    result = safe_article(html, AROUND)
    assert result.count("<input") == 3
    assert result.count('disabled=""') == 2
    assert 'type="radio" name="t">' in result
    assert "a>b" not in result
    assert "a&gt;b" not in result
