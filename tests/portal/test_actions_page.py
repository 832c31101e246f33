"""The installed actions, for authors of templates."""

import re

import pytest

from tests.portal.conftest import Client
from tests.portal.services import DOCUMENTS, FakeServices

ACTIONS = "/create/actions"


@pytest.fixture
def api() -> FakeServices:
    services = FakeServices()
    services.actions = [*DOCUMENTS]
    return services


def section(page: str, action: str) -> str:
    start = page.index(f'id="{action}"')
    return page[start : page.index("</section>", start)]


def rows(part: str) -> list[str]:
    return re.findall(r"<tr .*?</tr>", part, re.DOTALL)


async def test_every_action_has_its_input_and_output(client: Client) -> None:
    """At an anchor of its id, with the type, the description and what is required."""
    page = (await client().get(ACTIONS)).text
    for name, document in DOCUMENTS.items():
        assert f'<a href="#{name}"><code>{name}</code></a>' in page
        assert f'id="{name}"' in page
        for schema in document["schema"].values():
            for member in schema.get("properties", {}):
                assert f"<code>{member}</code>" in page, (name, member)
    fetch = section(page, "fetch:template")
    assert "renders the names" in fetch
    [url] = [row for row in rows(fetch) if "<code>url</code>" in row]
    assert '<span class="needed">required</span>' in url
    assert "<code>string</code>" in url
    assert "Relative path or absolute URL" in url
    [values] = [row for row in rows(fetch) if "<code>values</code>" in row]
    assert "required" not in values
    assert "What the files read as values." in values


async def test_examples_are_folded(client: Client) -> None:
    """Each with what it is for and its YAML."""
    document = DOCUMENTS["publish:git"]
    part = section((await client().get(ACTIONS)).text, "publish:git")
    examples = part.split('<details class="api-example"><summary>')[1]
    assert f"{len(document['examples'])} example" in examples
    for example in document["examples"]:
        assert example["description"] in examples
    assert "  - action: publish:git" in examples


async def test_actions_are_filtered_by_words(client: Client) -> None:
    """Of the id or the description, in any case; htmx gets the part alone."""
    page = (await client().get(f"{ACTIONS}?q=TEMPLATE+fetch")).text
    assert 'id="fetch:template"' in page
    assert 'id="publish:git"' not in page
    assert 'value="TEMPLATE fetch"' in page
    headers = {"hx-request": "true", "hx-target": "actions"}
    part = (await client().get(f"{ACTIONS}?q=nothing", headers=headers)).text
    assert "<html" not in part
    assert "No action matches “nothing”" in part


async def test_an_action_may_say_little(client: Client, api: FakeServices) -> None:
    """One without schemas, and one that breaks off a page if it is not escaped."""
    api.actions = ["bare", "<b>"]
    page = (await client().get(ACTIONS)).text
    assert page.count("It takes no input.") == 2
    assert "<b>" not in page
    api.actions = [f"many:{number:04}" for number in range(203)]
    page = (await client().get(ACTIONS)).text
    assert "and 3 more" in page
    assert "many:0202" not in page
    assert "many:0202" in (await client().get(f"{ACTIONS}?q=0202")).text
    api.actions = []
    assert "No actions are installed" in (await client().get(ACTIONS)).text


async def test_without_the_scaffolder_there_are_no_actions(
    client: Client, api: FakeServices
) -> None:
    """They are what the page is about; the list of templates leads to it."""
    assert f'href="{ACTIONS}"' in (await client().get("/create")).text
    api.hanging = ("/api/scaffolder/",)
    answer = await client().get(ACTIONS)
    assert answer.status_code == 503
    assert "unavailable" in answer.text
    api.hanging = ()
    api.forbidden.add("/api/scaffolder/v2/actions")
    assert (await client().get(ACTIONS)).status_code == 403
