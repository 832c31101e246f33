"""What is told of a template before it is run; starting again with other answers."""

import html as entities
import re
from typing import Any

import pytest

from services.portal.model import ApiAnswer
from services.portal.pages.start_again import form_address
from services.portal.runs import progress_of
from tests.portal.answers import TASK, missing, ok, task
from tests.portal.conftest import Client
from tests.portal.services import FakeServices

FORM = "/create/templates/default/python-service"
PAGE = "/catalog/default/template/python-service"
FLAG = {"backstage:featureFlag": "beta"}
STEPS = [
    {"id": "make", "action": "publish:moon", "input": {}},
    {"id": "make", "action": "debug:log"},
    {"action": "${{ parameters.action }}", "name": "Act", **FLAG},
]
PARAMETERS = [
    {
        "properties": {
            "planet": {"type": "string", "ui:field": "PlanetPicker"},
            "logo": {"type": "string", "format": "data-url"},
            "ray": {"ui:backstage": {"featureFlag": "gamma"}},
            "place": {
                "ui:field": "RepoUrlPicker",
                "ui:options": {"requestUserCredentials": {"secretsKey": "TOKEN"}},
            },
        },
    },
    {"title": "More", "properties": {}, **FLAG},
]


@pytest.fixture
def api() -> FakeServices:
    services = FakeServices()
    spec = services.entities["template:default/python-service"]["spec"]
    spec |= {"steps": STEPS, "parameters": PARAMETERS}
    return services


async def test_a_card_names_actions_that_are_not_installed(client: Client) -> None:
    """Only those that are missing."""
    page = (await client().get("/create")).text
    assert "Not installed here: publish:moon" in page
    assert "debug:log" not in page


@pytest.mark.parametrize("address", [FORM, PAGE])
async def test_form_and_page_show_all_warnings_of_a_template(
    client: Client, address: str
) -> None:
    """Before any answer is given, and without blocking the form."""
    answer = await client().get(address)
    page = entities.unescape(answer.text)
    assert answer.status_code == 200
    assert "The action publish:moon is not installed here" in page
    assert "Several steps have the id make" in page
    assert "planet as plain text: its field PlanetPicker is not known here" in page
    assert "logo as plain text: files (data-url) cannot be uploaded here" in page
    assert "with place: requestUserCredentials is not supported here" in page
    for part, flag in (
        ("The page More is always shown", "beta"),
        ("The form always asks for ray", "gamma"),
        ("The step Act is not left out", "beta"),
    ):
        assert f"{part}, whatever the feature flag {flag} says" in page


@pytest.mark.parametrize(
    ("condition", "is_warned"),
    [(False, False), ("${{ false }}", False), ("${{ parameters.x }}", True)],
)
async def test_an_action_of_a_step_that_never_runs_may_be_missing(
    client: Client, api: FakeServices, condition: Any, is_warned: bool
) -> None:
    """No run fails at a step that is always skipped."""
    spec = api.entities["template:default/python-service"]["spec"]
    spec["steps"] = [{"id": "a", "action": "publish:moon", "if": condition}]
    page = (await client().get(FORM)).text
    assert ("publish:moon is not installed here" in page) is is_warned


@pytest.mark.parametrize("address", [FORM, PAGE])
async def test_several_missing_actions_are_one_warning(
    client: Client, api: FakeServices, address: str
) -> None:
    """With a list of them."""
    actions = ["publish:moon", "fetch:mars", "debug:log", "publish:moon"]
    spec = api.entities["template:default/python-service"]["spec"]
    spec["steps"] = [{"id": str(n), "action": a} for n, a in enumerate(actions)]
    page = (await client().get(address)).text
    assert page.count("2 actions are not installed here") == 1
    names = re.findall(r"<li><code>([^<]*)</code></li>", page)
    assert names[:2] == ["publish:moon", "fetch:mars"]
    assert "The action" not in page


async def test_the_review_of_a_broken_template_does_not_promise_a_run(
    client: Client, api: FakeServices
) -> None:
    """Without questions, the review says that it can run, unless there are warnings."""
    api.steps = []
    spec = api.entities["template:default/python-service"]["spec"]
    spec |= {"parameters": [], "steps": [{"id": "a", "action": "debug:log"}]}
    assert "It can run as it is." in (await client().get(FORM)).text
    spec["steps"] = [{"id": "a", "action": "publish:moon"}]
    page = (await client().get(FORM)).text
    assert "This template asks nothing." in page
    assert "It can run as it is." not in page


BROKEN = [
    {"id": "tell", "action": "debug:log", "input": {"a": ["${{ x | replace( }}"]}},
    {"id": "skip", "action": "debug:log", "if": "${{ parameters.x == }}"},
    {"id": "odd", "action": "debug:log", "input": {"a": "${{ 1 | kebabCase }}"}},
    {"id": "well", "action": "debug:log", "input": {"a": "${{ parameters.x }}"}},
]


async def test_faulty_expressions_are_reported(
    client: Client, api: FakeServices
) -> None:
    """Step, field and reason on page and form, the steps on the card."""
    api.entities["template:default/python-service"]["spec"]["steps"] = BROKEN
    card = (await client().get("/create")).text
    assert "Faulty expression in step tell, step skip, step odd" in card
    for address in (FORM, PAGE):
        page = entities.unescape((await client().get(address)).text)
        assert "Step tell, input.a[0]: the expression cannot be parsed: line 1" in page
        assert "Step skip, if: the expression cannot be parsed: line 1" in page
        assert "Step odd, input.a: the expression cannot be evaluated: line 1" in page
        assert 'Unknown template filter "kebabCase"' in page
        assert "step well" not in page.lower()


async def test_template_pages_open_without_the_scaffolders_check(
    client: Client, api: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A malformed response, or none, is no warning and no error."""
    api.entities["template:default/python-service"]["spec"]["steps"] = BROKEN
    answers: list[Any] = [missing("no such route"), ok({}), ok({"items": [{}, 5]})]
    usual = api._scaffolder
    for answer in answers:

        def changed(
            method: str, path: str, *rest: Any, answer: Any = answer
        ) -> ApiAnswer:
            is_check = path.endswith("/template-checks")
            return answer if is_check else usual(method, path, *rest)

        monkeypatch.setattr(api, "_scaffolder", changed)
        for address in ("/create", PAGE):
            response = await client().get(address)
            assert response.status_code == 200
            assert "cannot be parsed" not in response.text


async def test_a_valid_template_has_no_warnings(
    client: Client, api: FakeServices
) -> None:
    """With all actions installed, card, page and form show no warning."""
    spec = api.entities["template:default/python-service"]["spec"]
    spec |= {"steps": [{"action": "debug:log"}], "parameters": []}
    for address in ("/create", FORM, PAGE):
        page = (await client().get(address)).text
        assert "not installed" not in page.lower()
        assert 'class="notice warn"' not in page


async def test_an_ended_run_links_to_its_prefilled_form(
    client: Client, api: FakeServices
) -> None:
    """All pages are filled in; secrets are asked for again."""
    answers = {"name": "seat-finder", "about": "a & b", "token": "***", "port": 9000}
    spec = {**task()["spec"], "parameters": answers}
    api.runs[TASK] = (task(status="failed", spec=spec), [])
    page = (await client().get(f"/create/tasks/{TASK}")).text
    link = re.search(r'href="([^"]+)">.*?Start again with other answers', page)
    assert link is not None
    address = entities.unescape(link[1].rsplit('href="', 1)[-1])
    assert "***" not in address
    form = (await client().get(address)).text
    assert 'value="seat-finder"' in form
    assert "a &amp; b" in form
    assert '<input type="hidden" name="p.port" value="9000">' in form


async def test_a_running_run_has_no_link_to_start_again(
    client: Client, api: FakeServices
) -> None:
    """It can be cancelled first."""
    api.runs[TASK] = (task(status="processing"), [])
    page = (await client().get(f"/create/tasks/{TASK}")).text
    assert "Start again" not in page


def test_answers_too_long_for_an_address_are_left_out() -> None:
    """The longest first; the others are carried on."""
    answers = {"short": "x", "long": "y" * 50_000, "pin": "*****"}
    info = {"entityRef": "template:default/t"}
    run: Any = {"spec": {"templateInfo": info, "parameters": answers}}
    address = form_address(run)
    assert address == "/create/templates/default/t?formData=%7B%22short%22%3A%22x%22%7D"
    assert form_address({"spec": {}}) == ""


def test_steps_with_one_id_are_shown_with_their_own_state() -> None:
    """In the order of the template, whichever of them failed."""
    steps = [{"id": "a", "action": "x"}, {"id": "a", "action": "y"}, {"id": "a"}]
    states = ["processing", "completed", "processing", "failed", "skipped"]
    events = [
        {"id": number, "type": "log", "body": {"stepId": "a", "status": status}}
        for number, status in enumerate(states, 1)
    ]
    progress = progress_of({"spec": {"steps": steps}, "status": "failed"}, events)
    assert [step.status for step in progress.steps] == [
        "completed",
        "failed",
        "skipped",
    ]
