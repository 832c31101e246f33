"""An article before it is kept: characters for emoji, pictures for drawings, bounds."""

import pytest

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
def test_emoji_are_characters(picture: str, characters: str) -> None:
    """No picture of a foreign server is needed to see a smile."""
    html = f'<p><img {picture} title=":x:"></p>'
    assert finished(html, "a.md")[0] == f"<p>{characters}</p>"


def test_drawings_are_pictures() -> None:
    """An inline drawing is shown, and what would act in it cannot."""
    html = (
        '<span><svg viewBox="0 0 1 1"><script>x()</script><path d="M0 0"/></svg></span>'
    )
    result, _ = finished(html, "a.md")
    assert 'class="drawing"' in result
    assert 'src="data:image/svg+xml;base64,' in result
    assert "<svg" not in result


def test_an_article_that_is_too_long_is_cut_and_told() -> None:
    """The beginning is shown; the warning names the page."""
    result, warnings = finished("<p>word</p>" * (CHARACTERS // 8), "big.md")
    assert len(result) <= CHARACTERS
    assert warnings[0].startswith("big.md: is longer than")


@pytest.mark.parametrize("tag", ["div", "ul", "b", "blockquote", "table", "svg"])
def test_depth_is_refused_before_it_costs(tag: str) -> None:
    """A tower of elements takes minutes to clean: it is counted first."""
    html = f"<{tag}>" * 300_000
    refusal = r"deep\.md: elements are nested deeper than 200"
    with limit_processor_time(5), pytest.raises(Invalid, match=refusal):
        finished(html[:CHARACTERS], "deep.md")


def test_what_ends_by_itself_does_not_nest() -> None:
    """Unclosed paragraphs, items and rows are how people write HTML."""
    assert deepest("<ul>" + "<li><p>a<br>" * 1000 + "</ul>") == 1
    assert deepest("<div>" * DEPTH + "</div>" * DEPTH) == DEPTH
