"""Insights: charts with their tables, periods, and the page without figures."""

import re
from functools import partial

import pytest
from fastapi import FastAPI

from services.portal.bar_chart import bar_chart, round_up
from tests.portal.answers import figures
from tests.portal.conftest import Client
from tests.portal.services import FakeServices


@pytest.fixture
def api() -> FakeServices:
    return FakeServices()


async def page(client: Client, path: str = "/insights") -> str:
    async with client() as ann:
        answer = await ann.get(path)
    assert answer.status_code == 200
    return answer.text


async def test_every_figure_has_a_chart_and_a_table(
    client: Client, portal: FastAPI
) -> None:
    """Four pictures with a title; each has its numbers as a table beside it."""
    text = await page(client)
    for title in ("Changes of entities", "Template runs", "Pushes"):
        assert re.search(
            rf"<svg[^>]*role=\"img\".*?<title[^>]*>{title} in the last", text
        )
    assert text.count("<summary>View as table</summary>") == 4
    assert text.count("<figure") == 4


async def test_rows_are_named_as_in_the_catalog(client: Client) -> None:
    """An owner by its title with a link; a repository by its address."""
    text = await page(client)
    assert re.search(r'href="/catalog/default/group/stage-team">Stage</a>', text)
    assert "Without an owner" in text
    assert 'href="https://git.playhouse.example/booking"' in text


async def test_imports_are_mentioned_and_not_drawn(client: Client) -> None:
    """Imported entities are in a sentence: in the chart they would hide the rest."""
    text = await page(client)
    assert "12 entities were imported" in text
    assert "these are not counted as changes" in text
    assert "series-imported" not in text


async def test_the_period_is_chosen_by_the_address(
    client: Client, api: FakeServices
) -> None:
    """A day is drawn by the hour; an unknown period is the default one."""
    text = await page(client, "/insights?period=24h")
    assert text.count('class="chart-hover"') == 4 * 24
    assert re.search(r'period=24h" aria-current="page"', text)
    text = await page(client, "/insights?period=nonsense")
    assert text.count('class="chart-hover"') == 4 * 7
    requests = [params for _, path, params in api.calls if "analytics" in path]
    assert requests == [[("period", "24h")], [("period", "7d")]]


async def test_an_incomplete_figure_says_so(client: Client) -> None:
    """A figure that is not complete says so."""
    assert (await page(client)).count("More was counted in this period") == 1


async def test_without_counts_the_page_says_what_it_will_show(
    client: Client, api: FakeServices
) -> None:
    """Empty figures have no empty charts."""
    api.figures = partial(figures, empty=True)
    text = await page(client)
    assert "<figure" not in text
    assert "No run of a template ended in this period." in text
    assert "Nothing was counted yet" in text


async def test_the_page_names_the_beginning_of_the_count(client: Client) -> None:
    """A time in UTC, and that the portal may be older."""
    text = await page(client, "/insights?period=7d")
    assert re.search(r"Counted since <time [^>]*>3 Mar, 00:00 UTC</time>", text)
    assert "the beginning of the first day with a count" in text
    assert "the portal itself may have started later" in text
    assert "window" not in text


async def test_the_page_explains_that_analytics_is_away(
    client: Client, api: FakeServices
) -> None:
    """It says what is missing, that nothing is lost, and where to look."""
    api.figures = None
    text = await page(client)
    assert "The figures cannot be read at the moment" in text
    assert 'href="/status"' in text


async def test_home_shows_the_totals_of_a_week(
    client: Client, api: FakeServices
) -> None:
    """The block is fetched after the page, and empty while analytics is away."""
    assert 'hx-get="/insights/week"' in await page(client, "/")
    text = await page(client, "/insights/week")
    assert re.search(r'href="/insights#runs"><strong>36</strong>runs', text)
    api.figures = None
    assert (await page(client, "/insights/week")).strip() == ""


def test_bars_are_stacked_from_the_bottom() -> None:
    """Parts are above each other and end at the value of the axis."""
    chart = bar_chart([("a", {"x": 3, "y": 2}), ("b", {})], ["x", "y"])
    assert (chart.top, chart.width, chart.total) == (5, 20, 5)
    first, second = chart.bars
    assert [(p.series, p.y, p.height) for p in first.parts] == [
        ("x", 40, 60),
        ("y", 0, 40),
    ]
    assert second.parts == []


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0, 1), (1, 1), (3, 5), (5, 5), (6, 10), (11, 20), (501, 1000)],
)
def test_an_axis_ends_at_a_round_number(value: int, rounded: int) -> None:
    """1, 2 or 5 times a power of ten, and never below the highest bar."""
    assert round_up(value) == rounded
