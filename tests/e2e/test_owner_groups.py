"""In the example, groups come from the organisation's file alone: they give rights."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.running import BEN, DEV, HOST, Portal, eventually, problem, push
from tests.e2e.system import working_copy

LOCATIONS = "/api/catalog/locations"
REFUSAL = re.compile("the kind (Group|User) is not allowed from url:.*catalog.rules")
RESTRICTED = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: NAME
  annotations: {callboard.dev/visibility: restricted}
spec: {type: service, lifecycle: production, owner: OWNER}
"""
OPEN = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: NAME}
spec: {type: service, lifecycle: production, owner: money}
"""
GROUP = """\
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: NAME}
spec: {type: team, children: [], members: [ben]}
"""
USER = """\
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ben}
spec: {memberOf: [NAME]}
"""


def restricted(system: Portal, owner: str) -> str:
    """The ref of a new restricted component of an owner."""
    name = f"owned-{secrets.token_hex(3)}"
    text = RESTRICTED.replace("NAME", name).replace("OWNER", owner)
    system.repository(name, {"catalog-info.yaml": text})
    ref = f"component:default/{name}"
    eventually(lambda: system.known(ref), f"{ref} is discovered")
    assert system.known(ref, BEN) is None
    return ref


@pytest.mark.parametrize("text", [GROUP, USER], ids=["group", "user"])
def test_nobody_registers_a_group_that_owns_something(
    system: Portal, text: str
) -> None:
    """Neither the missing group of a restricted component, nor a user in it."""
    owner = f"old-team-{secrets.token_hex(3)}"
    ref = restricted(system, owner)
    name = f"mine-{secrets.token_hex(3)}"
    system.repository(name, {"group.yaml": text.replace("NAME", owner)})
    body = {"type": "url", "target": f"{HOST}/{name}/blob/main/group.yaml"}
    dry_run = system.as_(BEN).post(LOCATIONS, json=body, params={"dryRun": "true"})
    status, error, message = problem(dry_run)
    assert (status, error) == (400, "InputError")
    assert REFUSAL.search(message)
    answer = system.as_(BEN).post(LOCATIONS, json=body).raise_for_status()
    location = system.known(answer.json()["location"]["entityRef"], BEN) or {}
    assert REFUSAL.search(location["status"]["items"][0]["message"])
    assert system.known(f"group:default/{owner}") is None
    assert system.known(ref, BEN) is None


@contextmanager
def renamed_platform(system: Portal) -> Iterator[None]:
    """The platform team has another name while the block runs."""
    copy = working_copy(system, "org")
    copy.git("pull", "--quiet", "--rebase", "origin", "main")
    files = {
        path: re.sub(r"(name: |- |parent: )platform\b", r"\1platform-x", text)
        for path in ("teams.yaml", "people.yaml")
        for text in [copy.read(path)]
    }
    push(copy, files, "Call the platform team otherwise")
    try:
        eventually(lambda: system.known("group:default/platform-x"), "the new name")
        yield
    finally:
        copy.git("revert", "--no-edit", "HEAD")
        copy.git("push", "--quiet", "origin", "HEAD:main")


def test_a_renamed_platform_team_leaves_its_name_to_nobody(system: Portal) -> None:
    """A claim of the name waits in vain, and the owners get it back."""
    ref = restricted(system, "corporate-development")
    name = f"claim-{secrets.token_hex(3)}"
    claim = GROUP.replace("NAME", "platform")
    copy = system.repository(name, {"catalog-info.yaml": claim})
    with renamed_platform(system):
        marker = OPEN.replace("NAME", name)
        push(copy, {"catalog-info.yaml": f"{claim}---\n{marker}"}, "Claim it again")
        eventually(
            lambda: system.known(f"component:default/{name}"), "the next reading"
        )
        assert system.known("group:default/platform") is None
        assert system.known(ref, BEN) is None
        assert system.known(ref, DEV) is None
    eventually(lambda: system.known(ref, DEV), "the team has its name and rights again")
    assert system.known(ref, BEN) is None
