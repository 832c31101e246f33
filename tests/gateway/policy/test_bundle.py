"""The bundle: what is in it, who gets it, and a real OPA that lives on it."""

import gzip
import io
import json
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from services.gateway.model import PolicyInput
from services.gateway.policy.bundle import PolicyFolder
from services.gateway.policy.opa import OpaPolicy
from services.gateway.policy.question import Questions
from services.gateway.settings import POLICIES
from shared.contracts.errors import Unavailable
from tests.gateway.policy.conftest import MakeGateway, MakeOpa
from tests.gateway.policy.opa_server import OpaServer
from tests.gateway.running import settings_for
from tests.waiting import until, until_now

TOKEN = "bundle-token-of-the-tests"
BEARER = {"authorization": f"Bearer {TOKEN}"}
PATH = "/api/policy/bundle"
CONFIGURATION = POLICIES / "opa.yaml"
REGO = "callboard/authz/authz.rego"
QUESTIONS = Questions(enabled=True)
Feed = Callable[[str], None]
ANN = PolicyInput("user:default/ann", "user", ("user:default/ann",), "catalog.x")
#: The line of the default policy that answers what no rule is about.
LAST_RULE = '"result": "deny", "reason": "No rule of the policy allows this."'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the default policy that a test may change."""
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


def change(folder: Path, old: str, new: str) -> None:
    """Edits the policy as an operator would: the new file takes the old one's place."""
    text = (folder / REGO).read_text()
    assert old in text
    written = folder / "new"
    written.write_text(text.replace(old, new))
    written.rename(folder / REGO)


def files_in(body: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(body))) as archive:
        files = {}
        for entry in archive:
            file = archive.extractfile(entry)
            assert file is not None
            files[entry.name.lstrip("/")] = file.read()
    return files


def test_the_bundle_holds_the_policy_only(folder: Path) -> None:
    """No tests, no configuration; its roots are its packages."""
    bundle = PolicyFolder(folder).bundle()
    files = files_in(bundle.body)
    assert set(files) == {".manifest", REGO}
    assert files[REGO] == (POLICIES / REGO).read_bytes()
    manifest = json.loads(files[".manifest"])
    assert manifest == {
        "revision": bundle.revision,
        "roots": ["callboard"],
        "rego_version": 1,
    }


def test_the_same_files_make_the_same_bundle(folder: Path) -> None:
    """Of every gateway: an OPA may ask any of them."""
    assert PolicyFolder(folder).bundle() == PolicyFolder(POLICIES).bundle()


def test_the_bundle_revision_depends_on_the_content(folder: Path) -> None:
    """A change makes another revision, and undoing it the first one."""
    policies = PolicyFolder(folder)
    first = policies.bundle()
    assert policies.bundle() is first
    change(folder, "Only the platform team", "Nobody but the platform team")
    second = policies.bundle()
    assert second.revision != first.revision
    change(folder, "Nobody but the platform team", "Only the platform team")
    assert policies.bundle() == first


def test_an_empty_policy_folder_is_no_bundle(folder: Path) -> None:
    """Policy servers keep the bundle that they have."""
    (folder / REGO).unlink()
    with pytest.raises(Unavailable, match="no policy files"):
        PolicyFolder(folder).bundle()


@pytest.fixture
def handing(make_gateway: MakeGateway, folder: Path) -> str:
    """A gateway that hands out the policy in `folder`."""
    return make_gateway(policies=folder, bundle_token=TOKEN)


def test_only_policy_servers_may_read_the_bundle(
    handing: str, gateway: str, robot: dict[str, str]
) -> None:
    """Users and other services are refused; without a token nobody may."""
    assert httpx.get(handing + PATH).status_code == 401
    for credentials in (robot, {"authorization": "Bearer x"}, {"authorization": TOKEN}):
        answer = httpx.get(handing + PATH, headers=credentials)
        assert answer.status_code == 401
        assert answer.json()["error"]["name"] == "AuthenticationError"
        assert TOKEN not in answer.text
    assert httpx.get(handing + PATH, headers=BEARER).status_code == 200
    closed = httpx.get(gateway + PATH, headers=BEARER)
    assert closed.status_code == 404
    assert "CALLBOARD_GATEWAY_BUNDLE_TOKEN" in closed.json()["error"]["message"]


def test_an_unchanged_bundle_is_not_sent_again(handing: str, folder: Path) -> None:
    """304 for its ETag; the whole for another."""
    first = httpx.get(handing + PATH, headers=BEARER)
    etag = first.headers["etag"]
    assert re.fullmatch(r'"[0-9a-f]{16}"', etag)
    again = {**BEARER, "if-none-match": f'"old", W/{etag}'}
    unchanged = httpx.get(handing + PATH, headers=again)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == etag
    change(folder, "Only the platform team", "Nobody but the platform team")
    changed = httpx.get(handing + PATH, headers=again)
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


def test_a_short_token_is_refused_at_start(tmp_path: Path) -> None:
    """Naming the setting."""
    with pytest.raises(ValidationError, match="CALLBOARD_GATEWAY_BUNDLE_TOKEN"):
        settings_for(
            "http://x",
            mongodb="x",
            kafka="x",
            data=tmp_path,
            CALLBOARD_GATEWAY_BUNDLE_TOKEN="short",
        )


@pytest.fixture
def fed(make_opa: MakeOpa) -> OpaServer:
    """OPA with nothing but the configuration that we ship."""
    return make_opa(config=CONFIGURATION)


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Says which gateway an OPA that is started next has its policy from."""
    monkeypatch.setenv("CALLBOARD_GATEWAY_BUNDLE_TOKEN", TOKEN)
    monkeypatch.setenv("CALLBOARD_OPA_DATA", str(tmp_path / "kept"))
    return lambda gateway: monkeypatch.setenv("CALLBOARD_GATEWAY_URL", gateway)


async def reason(policy: OpaPolicy) -> str:
    """Why Ann may not; "" while there is no policy."""
    try:
        return (await policy.decide(ANN)).reason
    except Unavailable:
        return ""


async def test_opa_loads_a_changed_policy_without_a_restart(
    fed: OpaServer, feed: Feed, handing: str, folder: Path
) -> None:
    """It keeps the valid policy while the next one is broken."""
    feed(handing)
    fed.start()
    async with OpaPolicy(fed.address, QUESTIONS) as policy:

        async def says(words: str) -> bool:
            return await reason(policy) == words

        await until(lambda: says("No rule of the policy allows this."), "a policy")
        change(folder, LAST_RULE, '"result": "deny", "reason": "Not on Mondays."')
        await until(lambda: says("Not on Mondays."), "the changed policy")
        change(folder, "package callboard.authz", "package callboard.authz\n\nbroken {")
        await until(lambda: "rego_parse_error" in fed.told(), "the broken policy")
        assert await says("Not on Mondays.")
        change(folder, "broken {", "")
        change(folder, "Not on Mondays.", "Not on Sundays.")
        await until(lambda: says("Not on Sundays."), "the mended policy")


async def test_opa_starts_with_its_last_policy_while_no_gateway_answers(
    fed: OpaServer, feed: Feed, handing: str
) -> None:
    """From its own folder."""
    for gateway in (handing, "http://127.0.0.1:9"):
        feed(gateway)
        fed.start()
        async with OpaPolicy(fed.address, QUESTIONS) as policy:
            await until(lambda: reason(policy), f"a policy with {gateway}")
        fed.kill()


def test_a_gateway_is_not_ready_until_opa_has_a_policy(
    fed: OpaServer, feed: Feed, make_gateway: MakeGateway, folder: Path
) -> None:
    """It hands out the bundle all the same, or neither would ever begin."""
    hidden = (folder / REGO).rename(folder / "hidden")
    gateway = make_gateway(policies=folder, bundle_token=TOKEN, opa=fed.address)
    feed(gateway)
    fed.start()

    def policy() -> str:
        return str(httpx.get(f"{gateway}/readyz").json()["checks"]["policy"])

    until_now(lambda: "has no policy yet" in policy(), "an empty OPA")
    assert httpx.get(f"{gateway}/readyz").status_code == 503
    hidden.rename(folder / REGO)
    until_now(lambda: policy() == "ok", "the policy")
