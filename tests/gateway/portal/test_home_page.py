"""Home: what is the reader's, what waits for them, what changed."""

from tests.gateway.portal.conftest import GUEST, Client
from tests.gateway.portal.fakes import FakeApi


async def test_it_shows_what_is_the_readers(client: Client) -> None:
    """Own entities, counted by kind, and nobody else's."""
    text = (await client().get("/")).text
    assert "Ann</h1>" in text
    assert '<a href="/catalog?kind=component&amp;own=1"><strong>4</strong>' in text
    assert "Seat map" in text
    assert "Refunds" not in text


async def test_errors_in_own_descriptors_come_first(client: Client) -> None:
    """With the message, so that one knows what to mend."""
    text = (await client().get("/")).text
    assert text.index("Needs attention") < text.index("Yours")
    assert "spec.system: must be a string" in text


async def test_a_newcomer_gets_a_tour(client: Client) -> None:
    """Who owns nothing sees what there is and where to begin."""
    text = (await client(GUEST).get("/")).text
    assert "A short tour" in text
    assert "<strong>11</strong>Components" in text
    assert "Needs attention" not in text


async def test_templates_and_docs_are_at_hand(client: Client) -> None:
    """Their links lead to the form and to the pages."""
    text = (await client().get("/")).text
    assert 'href="/create/templates/default/python-service"' in text
    assert 'href="/docs/default/component/booking"' in text


async def test_a_missing_system_needs_attention(client: Client, api: FakeApi) -> None:
    """A descriptor that points to nothing is said to."""
    api.hidden = {"system:default/sales"}
    text = (await client().get("/")).text
    assert "Its system system:default/sales is not in the catalog." in text
