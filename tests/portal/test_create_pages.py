"""Templates, their form, the run that it starts, and the list of runs."""

import html as entities
import re
from urllib.parse import parse_qsl, quote

import pytest

from services.portal.runs import progress_of, with_colours
from tests.portal.answers import TASK, events, task
from tests.portal.company import GUEST, entity
from tests.portal.conftest import Client
from tests.portal.services import FakeServices

FORM = "/create/templates/default/python-service"
GOOD = "p.name=seat-finder&p.owner=group%3Adefault%2Fstage-team"
RUN = f"/create/tasks/{TASK}"


@pytest.fixture
def api() -> FakeServices:
    return FakeServices()


def hidden(page: str) -> list[tuple[str, str]]:
    inputs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page)
    return [(entities.unescape(name), entities.unescape(text)) for name, text in inputs]


async def test_templates_are_listed_with_their_owners(client: Client) -> None:
    """The reader's own latest runs are below."""
    page = (await client().get("/create")).text
    assert f'href="{FORM}"' in page
    assert "in two minutes" in page
    assert f'href="{RUN}"' in page


async def test_templates_are_filtered_by_text(client: Client) -> None:
    """An htmx request gets the fragment alone."""
    headers = {"hx-request": "true", "hx-target": "offers"}
    part = (await client().get("/create?text=zzz", headers=headers)).text
    assert "<html" not in part
    assert "No template matches" in part


async def test_recommended_templates_come_first(
    client: Client, api: FakeServices
) -> None:
    """The others are counted, and found by typing."""
    for number in range(100):
        tags = ["recommended"] if number == 99 else ["plain"]
        template = entity("Template", f"many-{number:03}", {"type": "x"}, tags=tags)
        api.entities[f"template:default/many-{number:03}"] = template
    total = sum(ref.startswith("template:") for ref in api.entities)
    page = (await client().get("/create")).text
    assert page.index("many-099") < page.index("many-000")
    assert "many-098" not in page
    assert page.count('href="/create/templates/default/') == 60
    assert f"and {total - 60} more" in page
    page = (await client().get("/create?text=MANY-098")).text
    assert page.count('href="/create/templates/default/') == 1
    assert " more: type part" not in page


async def test_the_first_form_page_offers_catalog_choices(client: Client) -> None:
    """A label, help, and a field whose choices come from the catalog."""
    page = (await client().get(FORM)).text
    assert '<label class="field-label" for="f-name">Name</label>' in page
    assert "In lower case and dashes" in page
    source = "/choices?what=entities&amp;filter=kind=Group"
    assert f'data-combobox="{source}' in page
    assert "Required." not in page


async def test_invalid_answers_are_reported_at_their_field(client: Client) -> None:
    """422; the field is marked, described by its error, and keeps the typed value."""
    answer = await client().get(f"{FORM}?page=0&go=next&p.name=Bad+Name")
    assert answer.status_code == 422
    assert 'value="Bad Name"' in answer.text
    assert 'aria-describedby="f-name-help f-name-error" aria-invalid="true"' in (
        answer.text
    )
    assert "Must match" in answer.text
    assert "2 answers need another look" in answer.text


async def test_valid_answers_are_carried_to_the_next_page(client: Client) -> None:
    """They are in its address and in its form."""
    answer = await client().get(f"{FORM}?page=0&go=next&{GOOD}")
    assert answer.status_code == 303
    target = answer.headers["location"]
    assert dict(parse_qsl(target.partition("?")[2])) == {
        "page": "1",
        "p.name": "seat-finder",
        "p.owner": "group:default/stage-team",
    } | dict(parse_qsl("p.lifecycle=experimental&p.port=8080&p.readers=engineers"))
    page = (await client().get(target)).text
    assert ("p.name", "seat-finder") in hidden(page)
    assert "Where it belongs" in page


async def test_an_answer_adds_its_dependent_question(client: Client) -> None:
    """The script requests the questions alone, and gets the new one."""
    headers = {"hx-request": "true", "hx-target": "questions"}
    address = f"{FORM}?page=1&go=stay&{GOOD}&p.database=true"
    part = (await client().get(address, headers=headers)).text
    assert "<html" not in part
    assert "How long it is kept" in part
    without = (await client().get(f"{FORM}?page=1&{GOOD}")).text
    assert "How long it is kept" not in without


async def test_backstages_form_data_prefills_the_form(client: Client) -> None:
    """Links made for Backstage work: `formData` is JSON of the answers."""
    page = (await client().get(f'{FORM}?formData={{"name":"from-link"}}')).text
    assert 'value="from-link"' in page
    assert (await client().get(f"{FORM}?formData=nonsense")).status_code == 200


async def test_the_review_shows_the_answers(client: Client) -> None:
    """Names for refs, words for choices; secrets are only typed in here."""
    page = (await client().get(f"{FORM}?page=2&{GOOD}&p.database=false")).text
    assert "seat-finder" in page
    assert '/catalog/default/group/stage-team"' in page
    assert 'name="s.token"' in page
    assert ">No</dd>" in page
    assert 'name="s.token"' not in (await client().get(f"{FORM}?page=1&{GOOD}")).text


async def test_a_review_of_an_invalid_draft_returns_to_its_page(client: Client) -> None:
    """The page with the mistake shows it."""
    answer = await client().get(f"{FORM}?page=2&p.name=x")
    assert answer.status_code == 303
    assert "page=0&check=1" in answer.headers["location"]
    again = await client().get(answer.headers["location"])
    assert "Required." in again.text


async def test_creating_starts_the_run(client: Client, api: FakeServices) -> None:
    """With typed values; secrets are sent apart and starred in the values."""
    form = {
        **dict(parse_qsl(GOOD)),
        "p.port": "9000",
        "p.database": "true",
        "p.retention": "1 year",
        "s.token": "abc",
    }
    answer = await client().post(FORM, data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, RUN)
    assert api.started[-1] == {
        "templateRef": "template:default/python-service",
        "values": {
            "name": "seat-finder",
            "owner": "group:default/stage-team",
            "lifecycle": "experimental",
            "port": 9000,
            "database": True,
            "retention": "1 year",
            "readers": ["engineers"],
            "token": "***",
        },
        "secrets": {"token": "abc"},
    }


async def test_an_error_of_the_scaffolder_is_shown_on_the_review(
    client: Client, api: FakeServices
) -> None:
    """Its message is on the review; no typed value is lost."""
    api.refused = [{"path": ["name"], "message": "is taken"}]
    answer = await client().post(FORM, data=dict(parse_qsl(GOOD)))
    assert answer.status_code == 422
    assert "name: is taken" in answer.text
    assert ("p.name", "seat-finder") in hidden(answer.text)


async def test_readers_who_may_not_run_see_it_before_the_form(
    client: Client, api: FakeServices
) -> None:
    """The button is disabled, and the way to sign in is shown."""
    api.denied.add("scaffolder.task.create")
    page = (await client(GUEST).get(FORM)).text
    assert "You may not run templates" in page
    assert f'href="/sign-in?next={quote(FORM, safe="")}">Sign in</a> before' in page
    page = (await client().get(FORM)).text
    assert "policy does not allow you to run templates" in page
    page = (await client(GUEST).get(f"{FORM}?page=2&{GOOD}")).text
    assert "You may not run templates" in page
    assert "your answers come along" in page
    assert quote(GOOD.split("&", maxsplit=1)[0], safe="") in page
    assert '<button class="button primary" disabled>' in page


async def test_a_template_without_questions_can_be_run(
    client: Client, api: FakeServices
) -> None:
    """It has a review only."""
    api.steps = []
    page = (await client().get(FORM)).text
    assert "asks nothing" in page
    assert (await client().post(FORM)).headers["location"] == RUN


async def test_an_unknown_template_is_not_found(client: Client) -> None:
    """With a page that says what to do."""
    answer = await client().get("/create/templates/default/nothing")
    assert answer.status_code == 404


async def test_a_run_shows_steps_log_and_results(client: Client) -> None:
    """Each step with its state and time; links lead only where a browser may go."""
    page = (await client().get(RUN)).text
    assert re.findall(r'class="is-(\w+)"', page) == [
        "completed",
        "completed",
        "skipped",
    ]
    assert "wrote &lt;12&gt; files" in page
    assert 'href="/catalog/default/component/x"' in page
    assert 'href="https://git.x/seat-finder"' in page
    assert "javascript:" not in page
    assert "Trap: no address" in page
    assert "Log: no address" in page
    assert "<strong>hello</strong> &lt;i&gt;" in page
    assert "data-run-live" not in page


async def test_the_answers_of_a_run_are_shown_as_in_its_review(
    client: Client, api: FakeServices
) -> None:
    """Titles for keys, names for refs, Yes for true; no unused defaults."""
    run = task("completed")
    run["spec"]["parameters"] |= {
        "database": True,
        "readers": ["engineers", "theatres"],
        "token": "******",
        "older": ["a question", "of before"],
    }
    api.runs[TASK] = (run, events())
    page = (await client().get(RUN)).text
    answers = page.split('id="answers"')[1].split("</section>")[0]
    lines = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", answers, re.DOTALL)
    words = {label: re.sub(r"<[^>]+>", "", text).strip() for label, text in lines}
    assert words == {
        "Name": "seat-finder",
        "Owner": "Stage",
        "It keeps something": "Yes",
        "Readers": "engineers, theatres",
        "older": "a question, of before",
    }


async def test_an_invalid_template_leads_to_its_entity_page(
    client: Client, api: FakeServices
) -> None:
    """Its owner can repair it; the reader of its form did nothing wrong."""
    api.template_fault = "spec.output.a: is not of a type(s) string"
    answer = await client().get("/create/templates/default/python-service")
    assert answer.status_code == 400
    assert "This template cannot be run" in answer.text
    assert api.template_fault in answer.text
    assert 'href="/catalog/default/template/python-service"' in answer.text
    assert "question mark" not in answer.text


async def test_answers_of_a_deleted_template_have_their_keys(
    client: Client, api: FakeServices
) -> None:
    """Its questions are no longer known; a run without answers shows none."""
    run = task("completed")
    run["spec"]["parameters"] = {"name": "seat-finder", "public": False}
    run["spec"]["templateInfo"]["entityRef"] = "template:default/gone"
    api.runs[TASK] = (run, events())
    page = (await client().get(RUN)).text
    assert "<dt>name</dt><dd>seat-finder</dd>" in page
    assert "<dt>public</dt><dd>No</dd>" in page
    run["spec"]["parameters"] = {}
    api.calls.clear()
    assert "Answers" not in (await client().get(RUN)).text
    assert not any("parameter-schema" in path for _, path, _ in api.calls)


async def test_a_running_run_is_live_and_can_be_cancelled(
    client: Client, api: FakeServices
) -> None:
    """Its step is marked, the script knows where to resume, Cancel is shown."""
    api.runs[TASK] = (task("processing"), events()[:2])
    page = (await client().get(RUN)).text
    assert 'data-after="2" data-run-live' in page
    assert 'class="is-processing" aria-current="step"' in page
    answer = await client().post(f"{RUN}/cancel")
    assert answer.headers["location"] == RUN
    assert api.runs[TASK][0]["status"] == "cancelled"
    page = (await client().get(RUN)).text
    assert "Go on from the step that was stopped" in page
    assert "the step that failed" not in page


async def test_a_failed_run_shows_the_reason_and_a_retry(
    client: Client, api: FakeServices
) -> None:
    """Trying again begins at the failed step."""
    body = {"message": "Run completed", "error": {"message": "no room for <x>"}}
    failed = {"id": 9, "type": "completion", "body": body}
    api.runs[TASK] = (task("failed"), [*events()[:2], failed])
    page = (await client().get(RUN)).text
    assert "no room for &lt;x&gt;" in page
    assert 'class="is-cancelled"' in page
    answer = await client().post(f"{RUN}/retry")
    assert answer.headers["location"] == RUN


async def test_own_runs_are_listed_first(client: Client, api: FakeServices) -> None:
    """The runs of all users are one click away."""
    api.runs["other"] = (task(id="other", createdBy="user:default/bao"), [])
    assert "/create/tasks/other" not in (await client().get("/create/tasks")).text
    both = (await client().get("/create/tasks?whose=all")).text
    assert "/create/tasks/other" in both
    assert "Bao Tran" in both


async def test_an_empty_list_of_runs_says_whose_runs_it_lists(
    client: Client, api: FakeServices
) -> None:
    """There may be runs of others that the reader may not see."""
    api.runs.clear()
    own = (await client().get("/create/tasks")).text
    assert "You have not started a run yet" in own
    every = (await client().get("/create/tasks?whose=all")).text
    assert "No runs that you may see" in every
    assert "No runs yet" not in own + every


async def test_an_unknown_run_is_not_found(client: Client) -> None:
    """A path with dots is an unknown run too."""
    assert (await client().get("/create/tasks/nothing")).status_code == 404
    assert (await client().get("/create/tasks/..%2Fx")).status_code == 404
    page = (await client().get("/create/tasks/nothing")).text
    assert "There is no such run" in page
    assert "Task not found" not in page


def test_run_logs_keep_colours_and_escape_everything_else() -> None:
    """Colours become spans, addresses links; other escapes and HTML are text."""
    assert with_colours("\x1b[31mno\x1b[0m \x1b[2J<b>\x07") == (
        '<span class="log-bad">no</span> &lt;b&gt;'
    )
    assert with_colours('see https://a.b/c"x.') == (
        'see <a href="https://a.b/c">https://a.b/c</a>&#34;x.'
    )


def test_long_run_logs_show_their_end() -> None:
    """And how many lines are left out."""
    line = events()[0]
    progress = progress_of(task(), [{**line, "id": n} for n in range(5000)])
    assert (len(progress.lines), progress.left_out, progress.last) == (4000, 1000, 4999)


@pytest.mark.parametrize("address", [FORM, f"{FORM}?page=9&{GOOD}"])
async def test_the_description_of_a_template_is_markdown(
    client: Client, address: str
) -> None:
    """At the head of the form and of the review."""
    page = (await client().get(address)).text
    assert "Two <em>minutes</em>." in page


async def test_descriptions_of_fields_are_rendered_as_markdown(
    client: Client, api: FakeServices
) -> None:
    """On every control, and for secrets on the last page; HTML in them is text."""
    about = "See [rules](https://x.example) and **this** <b>"
    html = '<p>See <a href="https://x.example">rules</a> and <strong>this</strong>'
    kinds = [
        {"type": "string"},
        {"type": "string", "enum": ["a", "b"]},
        {"type": "boolean"},
        {"type": "string", "ui:field": "RepoUrlPicker"},
        {"type": "string", "ui:field": "Secret"},
    ]
    questions = {
        f"q{n}": {**kind, "description": about} for n, kind in enumerate(kinds)
    }
    api.steps = [{"title": "One", "schema": {"properties": questions}}]
    page = (await client().get(FORM)).text
    assert page.count(html) == len(kinds) - 1
    assert "<b>" not in page
    assert (await client().get(f"{FORM}?page=1")).text.count(html) == 1
