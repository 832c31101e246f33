"""What a push means, in the words of each Git host."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from services.gateway.webhooks.payloads import LONGEST_TEXT, MOST_REFS, pushes
from shared.contracts.errors import Invalid, TooLarge
from shared.contracts.gateway import RepositoryPushed
from shared.kit.git.addresses import parse_url
from tests.gateway.hooks import (
    NEW,
    OLD,
    ZEROS,
    bitbucket,
    bitbucket_server,
    gitea,
    github,
    gitlab,
)


def test_a_gitea_push_is_read() -> None:
    """Gitea's push, and that of our local hosts."""
    assert pushes("gitea", gitea(), "7") == [
        RepositoryPushed(
            provider="gitea",
            host="git.playhouse.example",
            repository="payments",
            url="https://git.playhouse.example/payments",
            ref="refs/heads/main",
            before=OLD,
            after=NEW,
            changed_paths=["a.md", "b.md", "c.md"],
            pusher="ann",
            pusher_name="Ann Example",
            delivery="7",
        )
    ]


def test_a_github_push_is_read() -> None:
    """GitHub's push; the sender is the pusher."""
    (push,) = pushes("github", github(), "7")
    assert (push.host, push.repository) == ("github.com", "acme/shop")
    assert (push.pusher, push.pusher_name) == ("ann-hub", "ann")
    assert push.changed_paths == ["a.md", "b.md", "c.md"]


def test_a_gitlab_push_is_read() -> None:
    """GitLab's groups may be nested."""
    (push,) = pushes("gitlab", gitlab(), "7")
    assert (push.host, push.repository) == ("gitlab.com", "acme/team/shop")


def test_a_bitbucket_push_is_split_by_ref() -> None:
    """Branches and tags, created ones from zeros; it lists no files."""
    branch, tag = pushes("bitbucket", bitbucket(), "7")
    assert (branch.ref, branch.before, branch.changed_paths) == (
        "refs/heads/main",
        OLD,
        None,
    )
    assert (tag.ref, tag.before) == ("refs/tags/v1", ZEROS)


def test_a_bitbucket_server_push_is_read() -> None:
    """The product for own servers has another payload."""
    (push,) = pushes("bitbucket", bitbucket_server(), "7")
    assert (push.ref, push.after) == ("refs/heads/x", ZEROS)
    assert push.url == "https://bitbucket.org/projects/ACME/repos/shop"
    # The catalog's places name it so.
    target = parse_url(push.url, {"bitbucket.org": "bitbucket_server"})
    assert target is not None
    assert push.repository == target.repository


@pytest.mark.parametrize(
    ("provider", "payload"),
    [
        ("github", github(forced=True)),
        ("github", github(before=ZEROS)),
        ("github", github(commits=[{"id": NEW}])),
        ("gitea", gitea(total_commits=30)),
        ("gitea", gitea(before=ZEROS)),
        ("gitea", gitea(commits=[], total_commits=0)),
        ("gitlab", gitlab(commits=[], total_commits_count=0)),
        ("github", github(commits=[])),
        ("gitlab", gitlab(total_commits_count=21)),
    ],
)
def test_an_incomplete_list_of_files_means_all_files(provider, payload) -> None:
    """Reading everything is better than missing a file."""
    assert pushes(provider, payload, "7")[0].changed_paths is None


@pytest.mark.parametrize(
    ("provider", "payload", "field"),
    [
        ("github", github(ref=None), "ref"),
        ("github", github(repository={}), "repository.html_url"),
        ("gitea", gitea(after=""), "after"),
        ("gitea", gitea(repository={"html_url": "git@host:x"}), "repository"),
        ("gitlab", gitlab(project=None), "project.web_url"),
        ("gitea", gitea(commits=5), "^commits: must be a list of objects"),
        ("gitea", gitea(commits=[5]), "^commits: must be a list of objects"),
        ("gitea", gitea(ref="refs/heads/a\0b"), "^ref: "),
        ("gitea", gitea(ref="refs/heads/a\nb"), "^ref: "),
        ("gitea", gitea(ref="--all"), "^ref: "),
        ("gitlab", gitlab(before="--output=x"), "^before: "),
        ("github", github(after="main"), "^after: "),
        ("github", github(repository={"html_url": "https://g.h/../x"}), "^repository"),
        ("github", github(repository={"html_url": "https://g.h/%2e%2e/x"}), "^repos"),
        ("github", github(repository={"html_url": "https://g.h/a/%0Ax"}), "^repos"),
        ("bitbucket", bitbucket(push={}), "push.changes"),
        ("bitbucket", bitbucket(push={"changes": [{}]}), "push.changes"),
        ("bitbucket", bitbucket_server(repository={}), "repository.links.self"),
    ],
)
def test_malformed_payloads_name_the_field(provider, payload, field) -> None:
    """The error shows whoever configures a webhook what is wrong."""
    with pytest.raises(Invalid, match=field):
        pushes(provider, payload, "7")


def with_one_part_replaced(
    value: Any, replacements: Callable[[Any], Iterable[Any]]
) -> Iterator[Any]:
    """`value` with each of its parts, itself first, replaced by each replacement."""
    yield from replacements(value)
    parts: Any = ()
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    for key, part in parts:
        for replaced in with_one_part_replaced(part, replacements):
            copy = value.copy()
            copy[key] = replaced
            yield copy


def lengthened(value: Any) -> list[str]:
    """A text of megabytes in place of a text."""
    is_text = isinstance(value, str)
    return [f"https://git.example/{'a/' * 2_000_000}"] if is_text else []


EVERY_PROVIDER = pytest.mark.parametrize(
    ("provider", "payload"),
    [
        ("github", github()),
        ("gitea", gitea()),
        ("gitlab", gitlab()),
        ("bitbucket", bitbucket()),
        ("bitbucket", bitbucket_server()),
    ],
)


@EVERY_PROVIDER
def test_no_text_of_a_push_is_longer_than_its_limit(provider, payload) -> None:
    """A long text is refused by its field's name; a long path means any file."""
    refusals = []
    for long in with_one_part_replaced(payload, lengthened):
        try:
            events = pushes(provider, long, "7")
        except Invalid as error:
            refusals.append(error.message)
            continue
        assert all(len(event.model_dump_json()) < 10_000 for event in events)
    assert len(refusals) > 3
    assert all("is over the limit of 4096" in message for message in refusals)


def test_a_push_with_a_long_path_may_have_changed_any_file() -> None:
    """A path that no checkout takes is not told."""
    commit = {"added": ["a" * (LONGEST_TEXT + 1)], "modified": [], "removed": []}
    (push,) = pushes("gitea", gitea(commits=[commit], total_commits=1), "7")
    assert push.changed_paths is None


ODD = (None, True, 7, 1e300, "", "x", "https://[", "http://\u2100.example/a", [], [7])
ODD += ({}, {"a": 1}, [{}], [[]], "https://git.example:99999999999/a")


@EVERY_PROVIDER
def test_any_payload_is_a_push_or_refused(provider, payload) -> None:
    """Whatever a field holds: never an internal error."""
    for odd in with_one_part_replaced(payload, lambda _: ODD):
        if isinstance(odd, dict):
            with contextlib.suppress(Invalid):
                assert isinstance(pushes(provider, odd, "7"), list)


@pytest.mark.parametrize("many", [MOST_REFS, MOST_REFS + 1, 50_000])
def test_the_refs_of_a_delivery_are_limited(many) -> None:
    """Each ref becomes an event: a larger delivery is refused, naming the field."""
    (first, _) = bitbucket()["push"]["changes"]
    (change,) = bitbucket_server()["changes"]
    payloads = [
        (bitbucket(push={"changes": [first] * many}), "push.changes: "),
        (bitbucket_server(changes=[change] * many), "changes: "),
    ]
    for payload, field in payloads:
        if many > MOST_REFS:
            with pytest.raises(TooLarge, match=f"^{field}{many} refs"):
                pushes("bitbucket", payload, "7")
        else:
            assert len(pushes("bitbucket", payload, "7")) == many
