"""Times, numbers and names as pages word them."""

from datetime import UTC, datetime, timedelta

import pytest

from services.gateway.portal.formats import (
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
def test_times_are_relative(before: timedelta, words: str) -> None:
    """In the largest unit that fits."""
    assert relative_time(NOW - before, at=NOW) == words


def test_the_exact_time_stands_on_hover() -> None:
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


def test_numbers_have_gaps_between_thousands() -> None:
    """Thin ones that do not break."""
    assert number(1234567) == "1\u202f234\u202f567"


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ann Becker", "AB"), ("team-a", "TA"), ("x", "X"), ("", "?"), ("a b c", "AC")],
)
def test_initials_stand_for_names(name: str, letters: str) -> None:
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
        ("data:text/html,x", ""),
        ("http://[broken", ""),
        (None, ""),
    ],
)
def test_only_harmless_addresses_are_links(address: object, safe: str) -> None:
    """Browsers ignore control characters in a scheme, so they are taken out first."""
    assert safe_url(address) == safe


def test_an_address_to_write_to_is_as_people_write_it() -> None:
    """The sign stays, and nobody adds a subject or another reader to it."""
    assert mailto("team+on-call@house.example") == ("mailto:team+on-call@house.example")
    assert mailto("a@b?cc=x&subject=y") == "mailto:a@b%3Fcc%3Dx%26subject%3Dy"
