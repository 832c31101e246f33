"""An article before it is kept: characters for emoji, pictures for drawings, bounds."""

import pytest

from services.techdocs.articles import Surroundings, safe_article
from services.techdocs.generator.article import CHARACTERS, DEPTH, deepest, finished
from shared.contracts.errors import Invalid
from tests.costs import limit_processor_time


@pytest.mark.parametrize(
    ("picture", "characters"),
    [
        ('alt="😄" class="twemoji" src="https://c.example/1f604.svg"', "😄"),
        ('alt=":x:" class="gemoji" src="https://c.example/1f1e9-1f1ea.png"', "🇩🇪"),
        ('class="emojione" src="https://c.example/none.svg"', ""),
    ],
)
def test_emoji_are_rendered_as_characters(picture: str, characters: str) -> None:
    """No picture of a foreign server is needed."""
    html = f'<p><img {picture} title=":x:"></p>'
    assert finished(html, "a.md")[0] == f"<p>{characters}</p>"


def test_inline_drawings_become_pictures() -> None:
    """An inline drawing is shown, and its active parts cannot run."""
    html = (
        '<span><svg viewBox="0 0 1 1"><script>x()</script><path d="M0 0"/></svg></span>'
    )
    result = finished(html, "a.md").html
    assert 'class="drawing"' in result
    assert 'src="data:image/svg+xml;base64,' in result
    assert "<svg" not in result


@pytest.mark.parametrize("side", ["left", "center", "right"])
def test_columns_keep_their_side(side: str) -> None:
    """As an attribute: pages refuse styles that stand in elements."""
    html = f'<table><tr><td class="x" style="text-align: {side};">1</td></tr></table>'
    assert f'<td class="x" align="{side}">' in finished(html, "a.md")[0]


def test_a_too_long_article_is_cut_with_a_warning() -> None:
    """The beginning is shown; the warning names the page."""
    result, warnings, _ = finished("<p>word</p>" * (CHARACTERS // 8), "big.md")
    assert len(result) <= CHARACTERS
    assert warnings[0].startswith("big.md: is longer than")


@pytest.mark.parametrize("tag", ["div", "ul", "b", "blockquote", "table", "svg"])
def test_deeply_nested_html_is_refused_fast(tag: str) -> None:
    """Deeply nested elements take minutes to sanitize: they are counted first."""
    html = f"<{tag}>" * 300_000
    refusal = r"deep\.md: elements are nested deeper than 200"
    with limit_processor_time(5), pytest.raises(Invalid, match=refusal):
        finished(html[:CHARACTERS], "deep.md")


def test_self_closing_elements_do_not_count_as_nested() -> None:
    """Unclosed paragraphs, items and rows are usual HTML."""
    assert deepest("<ul>" + "<li><p>a<br>" * 1000 + "</ul>") == 1
    assert deepest("<div>" * DEPTH + "</div>" * DEPTH) == DEPTH


def test_elements_that_are_left_out_are_named_once_with_their_page() -> None:
    """Not those in code or comments, nor what is shown in another way."""
    html = (
        '<iframe src="/x">a</iframe><IFRAME></IFRAME><form><input name="q"></form>'
        '<input type="checkbox"><svg><script>1</script></svg><!-- <object> -->'
        "<code>&lt;embed&gt;</code><video></video><script>1</script>"
    )
    warnings = finished(html, "a.md").warnings
    [warning] = warnings
    assert warning.startswith("a.md: ")
    assert warning.endswith("<iframe>, <form>, <input>, <script>")
    assert finished("<p>a</p>", "b.md") == ("<p>a</p>", [], set())


def test_unclosed_comments_are_read_fast() -> None:
    """The elements of millions of characters are looked through in seconds."""
    for part in ("<!-- ", "<input ", "<input type=", '<input a="'):
        with limit_processor_time(5):
            finished(part * (CHARACTERS // len(part)), "a.md")


@pytest.mark.parametrize(
    "media",
    [
        '<img src="ADDRESS">',
        '<img alt="a > b" src="ADDRESS">',
        '<img src="a.png" srcset="a.png 1x, ADDRESS 2x">',
        '<video src="ADDRESS"></video>',
        '<video src="a.mp4" poster="ADDRESS"></video>',
        '<video><source src="ADDRESS"><track src="a.vtt"></video>',
        '<video src="a.mp4"><track src="ADDRESS"></video>',
        '<audio src="ADDRESS"></audio>',
        '<picture><source srcset="b.png, ADDRESS"><img src="c.png"></picture>',
    ],
)
@pytest.mark.parametrize("scheme", ["https:", "http:", ""])
def test_all_that_other_hosts_would_give_is_noticed(media: str, scheme: str) -> None:
    """One rule for all elements and attributes that load something."""
    html = media.replace("ADDRESS", f"{scheme}//i.example/x?a&amp;b")
    assert finished(html, "a.md").foreign_hosts == {"i.example"}


@pytest.mark.parametrize(
    ("html", "link"),
    [
        (
            '<img alt="A &lt;b> &amp; c" src="https://i.example/x?a&amp;b">',
            '<a href="https://i.example/x?a&amp;b"TAIL>A &lt;b&gt; &amp; c</a>',
        ),
        (
            '<img src="//i.example/x.png" width="9">',
            '<a href="//i.example/x.png"TAIL>//i.example/x.png</a>',
        ),
        (
            '<a href="https://ci.example/"><img src="https://i.example/b" alt="B"></a>',
            '<a href="https://ci.example/"TAIL>B</a>',
        ),
        (
            '<a name="x"><img src="https://i.example/b" alt="B"></a>',
            '<a href="https://i.example/b"TAIL>B</a>',
        ),
    ],
)
def test_a_link_stands_in_place_of_a_foreign_picture(html: str, link: str) -> None:
    """Pages load nothing from other hosts: a reader would see a broken picture."""
    around = Surroundings("", "/docs/", "/files/", (), lambda _: False, "/html/")
    article = safe_article(finished(f"<p>{html}</p>", "a.md").html, around)
    assert "<img" not in article
    assert link.replace("TAIL", ' rel="noopener noreferrer"') in article


@pytest.mark.parametrize("address", ["/a.png", "a/b.png", "data:image/png;base64,AA"])
def test_a_picture_of_the_site_stays_a_picture(address: str) -> None:
    """Its address names no host."""
    html = f'<p><img src="{address}" alt="A"></p>'
    assert finished(html, "a.md").html == html


def test_links_and_own_files_are_of_no_other_host() -> None:
    """Readers follow a link themselves."""
    html = (
        '<a href="https://i.example/x">x</a><img src="//" srcset="/a.png 2x">'
        '<video src="a.mp4" poster="data:image/png;base64,AA"></video>'
    )
    assert finished(html, "a.md").foreign_hosts == set()
