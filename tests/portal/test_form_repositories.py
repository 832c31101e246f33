"""Repositories as answers: the parts that their hosts have, and what may be chosen."""

import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from services.portal.forms.answers import form_texts_of
from services.portal.forms.draft import Draft, draft_of
from services.portal.forms.model import FormPage
from services.portal.forms.repositories import repo_parts
from tests.portal.conftest import Client
from tests.portal.services import FakeServices
from tests.portal.test_forms import draft

FORM = "/create/templates/default/python-service"
CONFIGURED = {
    "github.com": "github",
    "ghe.x": "github",
    "gitlab.x": "gitlab",
    "gitea.x": "gitea",
    "bb.x": "bitbucketServer",
    "local.x": "local",
}
AZURE = "dev.azure.com?organization=acme&project=prj&repo=r1"


def picker(**options: Any) -> dict[str, Any]:
    field = {"type": "string", "ui:field": "RepoUrlPicker", "ui:options": options}
    return {"properties": {"it": field}}


def typed(schema: dict[str, Any], **parts: str) -> Draft:
    texts = form_texts_of((f"p.it#{name}", text) for name, text in parts.items())
    return draft_of([FormPage(0, "One", "", schema)], texts, {}, CONFIGURED)


def parts_of(form: Draft) -> dict[str, str]:
    return {part.name: part.value for part in form.pages[0].fields[0].repo["parts"]}


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ("host=git.x&{0}owner=o&{0}repo=r", ""),
        ("host=git.x&{0}owner=other&{0}repo=r", "Choose the owner from the list."),
        ("host=git.y&{0}owner=o&{0}repo=r", "Choose the host from the list."),
        ("host=git.x&{0}owner=&{0}repo=r", "Choose the owner from the list."),
        ("host=git.x&{0}owner=other&{0}repo=", ""),
    ],
)
def test_a_repository_must_have_a_listed_host_and_owner(typed: str, wrong: str) -> None:
    """As the template lists them; typed text may be something else."""
    options = {"allowedHosts": ["git.x"], "allowedOwners": ["o", "p"]}
    field = {"type": "string", "ui:field": "RepoUrlPicker", "ui:options": options}
    query = "p.it%23" + typed.format("p.it%23")
    page = draft({"properties": {"it": field}}, query).pages[0]
    assert page.errors.get(("it",), "") == wrong


def test_a_repository_url_is_split_into_its_fields() -> None:
    """Into the fields it was typed into."""
    parts = repo_parts("git.x?owner=o&repo=r")
    assert {name: text for name, text in parts.items() if text} == {
        "host": "git.x",
        "owner": "o",
        "repo": "r",
    }


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("dev.azure.com", ["organization", "project", "repo"]),
        ("bitbucket.org", ["workspace", "project", "repo"]),
        ("bb.x", ["project", "repo"]),
        ("github.com", ["owner", "repo"]),
        ("git.x", ["owner", "repo"]),
        ("local.x", ["repo"]),
    ],
)
def test_the_type_of_a_host_says_which_parts_it_has(
    host: str, names: list[str]
) -> None:
    """All are asked for and stand in the answer; without one that it needs, none."""
    form = typed(picker(), host=host, **{name: f"a {name}" for name in names})
    assert list(parts_of(form)) == names
    pairs = urlencode([(name, f"a {name}") for name in names])
    assert form.values == {"it": f"{host}?{pairs}"}
    assert form.first_wrong_page() is None
    incomplete = typed(picker(), host=host, repo="r").pages[0]
    assert bool(incomplete.errors) is (host not in {"git.x", "local.x"})


@pytest.mark.parametrize(
    "host", ["github.com", "gitlab.com", "ghe.x", "gitlab.x", "gitea.x"]
)
def test_a_host_of_owned_repositories_needs_the_owner(host: str) -> None:
    """The public ones and those of an integration, typed or prefilled."""
    says = {("it",): f"Enter the owner: {host} needs it."}
    assert typed(picker(), host=host, repo="r").pages[0].errors == says
    assert draft(picker(), it=f"{host}?repo=r").pages[0].errors == (
        says if host.endswith(".com") else {}
    )
    assert typed(picker(), host=host, owner="o", repo="r").pages[0].errors == {}


@pytest.mark.parametrize(
    ("host", "label", "required"),
    [
        ("github.com", "Owner", True),
        ("git.unknown", "Owner, if the host has them", False),
    ],
)
def test_only_hosts_that_may_have_no_owners_leave_the_owner_out(
    host: str, label: str, required: bool
) -> None:
    """Its label says so, and an answer without it is one."""
    schema = {**picker(), "required": ["it"]}
    page = typed(schema, host=host, repo="r").pages[0]
    owner, repo = page.fields[0].repo["parts"]
    assert (owner.label, owner.required, repo.required) == (label, required, True)
    assert bool(page.errors) is required


def test_no_owner_is_asked_for_at_a_local_host() -> None:
    """The scaffolder refuses one there: what was typed for another host is dropped."""
    schema = picker(allowedHosts=["local.x", "github.com"], allowedOwners=["o"])
    page = typed(schema, host="local.x", owner="o", repo="r").pages[0]
    assert [part.name for part in page.fields[0].repo["parts"]] == ["repo"]
    assert page.values == {"it": "local.x?repo=r"}
    assert page.errors == {}


def test_a_picker_without_a_list_offers_the_configured_hosts() -> None:
    """The first is chosen; public hosts that nobody configured are not offered."""
    field = typed(picker()).pages[0].fields[0]
    assert field.repo["offered"] == list(CONFIGURED)
    assert field.repo["host"] == "github.com"
    assert field.controls
    assert draft(picker()).pages[0].fields[0].repo["offered"] == []


def test_a_prefilled_host_that_is_not_configured_stays() -> None:
    """It is offered besides the configured ones, and is no error."""
    page = typed(picker(), host="git.other", repo="r").pages[0]
    assert page.fields[0].repo["offered"] == [*CONFIGURED, "git.other"]
    assert page.fields[0].repo["host"] == "git.other"
    assert page.errors == {}


def test_parts_that_were_typed_stay_while_the_repository_is_missing() -> None:
    """A change of the host reloads the questions."""
    form = typed(picker(), host="dev.azure.com", project="prj")
    assert form.values == {}
    assert parts_of(form) == {"organization": "", "project": "prj", "repo": ""}
    moved = typed(picker(), host="github.com", project="prj", owner="o", repo="r")
    assert moved.values == {"it": "github.com?owner=o&repo=r"}


@pytest.mark.parametrize("host", ["dev.azure.com", "ado.unknown.x"])
def test_a_prefilled_repository_keeps_all_its_parts(host: str) -> None:
    """Whether the type of its host is known or not."""
    url = AZURE.replace("dev.azure.com", host)
    form = draft(picker(), it=url)
    assert form.values == {"it": url}
    parts = {name: value for name, value in parts_of(form).items() if value}
    assert parts == {"organization": "acme", "project": "prj", "repo": "r1"}
    assert typed(picker(), host=host, **parts).values == {"it": url}


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("organization", "Choose the organization from the list."),
        ("project", "Choose the project from the list."),
        ("repo", "Choose the repository from the list."),
    ],
)
def test_parts_are_those_that_the_template_allows(part: str, error: str) -> None:
    """They are offered, and others are refused."""
    schema = picker(
        allowedHosts=["dev.azure.com"],
        allowedOrganizations=["acme"],
        allowedProjects=["prj", "other"],
        allowedRepos=["r1", "r2"],
    )
    good = {k: v for k, v in repo_parts(AZURE).items() if v}
    assert typed(schema, **good).pages[0].errors == {}
    assert typed(schema, **good | {part: "x"}).pages[0].errors == {("it",): error}
    choices = {
        p.name: p.choices for p in draft(schema).pages[0].fields[0].repo["parts"]
    }
    assert choices == {
        "organization": ["acme"],
        "project": ["prj", "other"],
        "repo": ["r1", "r2"],
    }


@pytest.fixture
def api() -> FakeServices:
    services = FakeServices()
    hosts = ["github.com", "dev.azure.com"]
    services.steps = [{"title": "One", "schema": picker(allowedHosts=hosts)}]
    return services


async def test_the_parts_follow_the_chosen_host(client: Client) -> None:
    """The host reloads the questions where the hosts of the list differ in parts."""
    page = (await client().get(FORM)).text
    assert re.search(r'<select[^>]*name="p.it#host"[^>]*hx-get', page)
    assert re.findall(r'name="p.it#(\w+)"', page) == ["host", "owner", "repo"]
    query = f"p.it%23host=dev.azure.com&p.it%23repo={quote('r 1')}"
    page = (await client().get(f"{FORM}?{query}&go=stay")).text
    names = ["host", "organization", "project", "repo"]
    assert re.findall(r'name="p.it#(\w+)"', page) == names
    assert 'value="r 1"' in page


@pytest.mark.parametrize("repo", ["", "r"])
def test_parts_that_were_typed_stay_on_the_way_back(repo: str) -> None:
    """Other pages carry them, whether or not they are a whole repository."""
    pages = [FormPage(0, "One", "", picker()), FormPage(1, "Two", "", {})]
    parts = {"host": "github.com", "owner": "typed", "repo": repo}
    texts = form_texts_of((f"p.it#{name}", text) for name, text in parts.items())
    carried = draft_of(pages, texts).pairs(but=1)
    back = draft_of(pages, form_texts_of(carried))
    assert parts_of(back) == {"owner": "typed", "repo": repo}
