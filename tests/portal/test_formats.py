"""Times, numbers and names as pages word them."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portal.formats import (
    SAFE_SCHEMES,
    duration,
    exact_time,
    initials,
    iso_time,
    mailto,
    number,
    relative_time,
    safe_url,
)

NOW = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=40), "40 seconds ago"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(days=20), "2 weeks ago"),
        (timedelta(days=90), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
        (timedelta(days=-2, seconds=-1), "in 2 days"),
    ],
)
def test_times_are_shown_relative_to_now(before: timedelta, words: str) -> None:
    """In the largest unit that fits."""
    assert relative_time(NOW - before, at=NOW) == words


def test_the_exact_time_is_shown_on_hover() -> None:
    """With day and zone; milliseconds since 1970 are understood too."""
    assert exact_time(NOW) == "Sunday, 22 November 2026, 17:00:00 UTC"
    assert iso_time(1_000_000_000_000) == "2001-09-09T01:46:40+00:00"
    assert relative_time("soon") == "soon"


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (12, "12 ms"),
        (0, "under 1 s"),
        (3000, "3 s"),
        (3210, "3.2 s"),
        (250_000, "4 min 10 s"),
        (None, ""),
    ],
)
def test_durations_have_units(milliseconds: object, words: str) -> None:
    """The unit grows with the duration."""
    assert duration(milliseconds) == words


def test_numbers_have_thin_spaces_between_thousands() -> None:
    """Thin ones that do not break."""
    assert number(1234567) == "1\u202f234\u202f567"


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ann Becker", "AB"), ("team-a", "TA"), ("x", "X"), ("", "?"), ("a b c", "AC")],
)
def test_initials_are_made_of_first_and_last_name(name: str, letters: str) -> None:
    """The first and the last word's."""
    assert initials(name) == letters


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://a.b/c", "https://a.b/c"),
        ("/here", "/here"),
        ("mailto:a@b.c", "mailto:a@b.c"),
        ("javascript:alert(1)", ""),
        ("java\nscript:alert(1)", ""),
        (" javascript:alert(1)", ""),
        ("\x01java\tscript:alert(1)\n", ""),
        ("JavaScript:alert(1)", ""),
        ("\u00a0javascript:alert(1)", ""),
        ("\u200djavascript:alert(1)", "%E2%80%8Djavascript:alert(1)"),
        ("java\x01script:alert(1)", "java%01script:alert(1)"),
        ("java script:alert(1)", "java%20script:alert(1)"),
        (" https://a.b/my page.md ", "https://a.b/my%20page.md"),
        ("https://a.b/my%20page.md", "https://a.b/my%20page.md"),
        (
            "https://a.b/d\u00e9but page.md#x y",
            "https://a.b/d\u00e9but%20page.md#x%20y",
        ),
        (
            "https://a.b/a\u00a0b\u200dc\u3000d",
            "https://a.b/a%C2%A0b%E2%80%8Dc%E3%80%80d",
        ),
        ("/x\udc80", "/x%3F"),
        ("data:text/html,x", ""),
        ("http://[broken", ""),
        (None, ""),
    ],
)
def test_only_harmless_addresses_are_links(address: object, safe: str) -> None:
    """What browsers ignore is taken out first; what a name has stays, escaped.

    An escape is no part of a scheme: what is left of a trick is a relative address.
    """
    assert safe_url(address) == safe


@given(st.text())
def test_an_address_is_escaped_once_and_keeps_its_target(address: str) -> None:
    """A second time changes nothing; a browser reads the scheme that was allowed."""
    safe = safe_url(address)
    assert safe_url(safe) == safe
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", safe)
    assert scheme is None or scheme[1].lower() in SAFE_SCHEMES
    assert not re.search(r"[\x00-\x20]", safe)


def test_a_mail_address_keeps_its_at_sign() -> None:
    """No subject and no second recipient can be added to it."""
    assert mailto("team+on-call@house.example") == ("mailto:team+on-call@house.example")
    assert mailto("a@b?cc=x&subject=y") == "mailto:a@b%3Fcc%3Dx%26subject%3Dy"
