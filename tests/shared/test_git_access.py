"""Private repositories: every question to their host carries what the host wants."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from shared.contracts.errors import CallboardError, Invalid, NotFound, Unavailable
from shared.kit.config.integrations import (
    AzureCredential,
    Integration,
    Integrations,
)
from shared.kit.git.access import AUTHORITIES, authorization, network_environment
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.git.not_found import repository_not_found_message
from tests.shared.githost import GitHost, git_host

TOKEN = "a-token-that-nobody-may-see"
NO_PROXY = "localhost,127.0.0.1"


def basic(user: str, password: str = TOKEN) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHost]:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", NO_PROXY)
    for names in AUTHORITIES.items():
        for name in names:
            monkeypatch.delenv(name, raising=False)
    with git_host(tmp_path / "host") as started:
        started.expected = basic("x-access-token")
        yield started


def mirrors(host: GitHost, folder: Path, **settings: Any) -> RepositoryMirrors:
    settings = {"token": TOKEN, "ca_file": host.authority, **settings}
    integration = Integration(host=host.name, **settings)
    return RepositoryMirrors(folder / "mirrors", Integrations(github=[integration]))


async def test_a_private_repository_is_read_with_its_token(
    host: GitHost, tmp_path: Path
) -> None:
    """Files that a mirror lacks are fetched with the same token."""
    host.commit("team/shop", {"catalog-info.yaml": "kind: API\n"})
    after = host.commit("team/shop", {"docs/a.md": "one", "docs/b/c.md": "two"})
    reader = mirrors(host, tmp_path)
    target = reader.locate(f"https://{host.name}/team/shop/blob/main/catalog-info.yaml")
    assert target is not None
    assert await reader.fetch(target) == after
    assert await reader.read(target, after, target.path) == b"kind: API\n"
    await reader.export(target, after, "docs", tmp_path / "out")
    assert (tmp_path / "out" / "b" / "c.md").read_text() == "two"
    assert list(await reader.list_paths(target, after, "docs")) == [
        "docs/a.md",
        "docs/b/c.md",
    ]
    assert (await reader.commit_info(target, after)).author == "Ann"
    assert host.requests
    assert {authorization for _, authorization in host.requests} == {host.expected}


async def test_a_later_commit_is_read_with_the_token(
    host: GitHost, tmp_path: Path
) -> None:
    """A second fetch brings no file contents either: they are requested later."""
    host.commit("team/shop", {"a.yaml": "one"})
    reader = mirrors(host, tmp_path)
    target = reader.target(host.name, "team/shop", "main")
    await reader.fetch(target)
    host.commit("team/shop", {"a.yaml": "two"})
    commit = await reader.fetch(target)
    assert await reader.read(target, commit, "a.yaml") == b"two"


def refusal(host: GitHost) -> str:
    """The whole message for a repository that the host refuses."""
    return (
        f"team/shop at {host.name}: the Git host does not show the repository without "
        "other credentials: give the host's entry of `integrations` a token that may "
        "read it"
    )


@pytest.mark.parametrize("token", [None, SecretStr("another-token")])
async def test_the_error_of_a_refused_repository_names_it_and_the_setting(
    host: GitHost, tmp_path: Path, token: SecretStr | None
) -> None:
    """No token, and none of Git's words for a person at a terminal."""
    host.commit("team/shop", {"a.yaml": "one"})
    reader = mirrors(host, tmp_path, token=token)
    with pytest.raises(Invalid) as raised:
        await reader.fetch(reader.target(host.name, "team/shop", "main"))
    assert raised.value.message == refusal(host)


async def test_a_revoked_token_is_reported_when_a_file_is_read(
    host: GitHost, tmp_path: Path
) -> None:
    """The mirror exists without the file's content, and the host refuses it."""
    commit = host.commit("team/shop", {"a.yaml": "one"})
    reader = mirrors(host, tmp_path)
    target = reader.target(host.name, "team/shop", "main")
    await reader.fetch(target)
    host.expected = basic("x-access-token", "a-new-token")
    for reading in (
        reader.fetch(target),
        reader.read(target, commit, "a.yaml"),
        reader.export(target, commit, "", tmp_path / "out"),
    ):
        with pytest.raises(CallboardError) as raised:
            await reading
        assert raised.value.message == refusal(host)


async def test_an_absent_repository_has_the_message_of_a_hidden_one(
    host: GitHost, tmp_path: Path
) -> None:
    """Git's own words would tell them apart."""
    reader = mirrors(host, tmp_path)
    target = reader.target(host.name, "team/none", "main")
    with pytest.raises(NotFound) as raised:
        await reader.fetch(target)
    assert raised.value.message == repository_not_found_message(target)


async def test_an_unknown_certificate_authority_is_refused(
    host: GitHost, tmp_path: Path
) -> None:
    """Without the authority's file nothing is sent to an unverified host."""
    host.commit("team/shop", {"a.yaml": "one"})
    reader = mirrors(host, tmp_path, ca_file=None)
    with pytest.raises(Unavailable, match=rf"^team/shop at {host.name}: .*certificate"):
        await reader.fetch(reader.target(host.name, "team/shop", "main"))
    assert host.requests == []


@pytest.mark.parametrize("variable", ["GIT_SSL_CAINFO", "SSL_CERT_FILE"])
async def test_the_systems_authority_file_is_passed_to_git(
    host: GitHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """The file that an operator sets for every program is enough."""
    monkeypatch.setenv(variable, str(host.authority))
    commit = host.commit("team/shop", {"a.yaml": "one"})
    reader = mirrors(host, tmp_path, ca_file=None)
    target = reader.target(host.name, "team/shop", "main")
    assert await reader.fetch(target) == commit


async def test_gits_own_authority_setting_takes_precedence(
    host: GitHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An authority in the user's Git settings is used, whatever variables say."""
    settings = f"[http]\n\tsslCAInfo = {host.authority}\n"
    (tmp_path / "home" / ".gitconfig").write_text(settings)
    (tmp_path / "others.pem").touch()
    monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "others.pem"))
    commit = host.commit("team/shop", {"a.yaml": "one"})
    reader = mirrors(host, tmp_path, ca_file=None)
    assert await reader.fetch(reader.target(host.name, "team/shop", "main")) == commit


async def test_the_systems_proxy_is_used(
    host: GitHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that does not answer is the reason of the failure."""
    host.commit("team/shop", {"a.yaml": "one"})
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    reader = mirrors(host, tmp_path)
    with pytest.raises(
        Unavailable, match=rf"^team/shop at {host.name}: the Git host does not answer"
    ):
        await reader.fetch(reader.target(host.name, "team/shop", "main"))
    assert host.requests == []


def test_both_spellings_of_proxy_variables_are_read() -> None:
    """The lower case one comes first, as for other programs."""
    environment = {
        "HTTPS_PROXY": "http://a",
        "no_proxy": "b",
        "NO_PROXY": "c",
        "HOME": "/",
    }
    assert network_environment(environment) == {
        "https_proxy": "http://a",
        "no_proxy": "b",
    }


@pytest.mark.parametrize(
    ("kind", "settings", "header"),
    [
        ("github", {"token": TOKEN}, basic("x-access-token")),
        ("gitlab", {"token": TOKEN}, basic("oauth2")),
        ("gitea", {"username": "bot", "password": TOKEN}, basic("bot")),
        ("azure", {"token": TOKEN}, basic("")),
        ("bitbucket_cloud", {"token": TOKEN}, basic("x-token-auth")),
        ("bitbucket_cloud", {"username": "u", "appPassword": TOKEN}, basic("u")),
        (
            "bitbucket_cloud",
            {"username": "bot@example.org", "token": TOKEN},
            basic("x-bitbucket-api-token-auth"),
        ),
        ("bitbucket_server", {"token": TOKEN}, f"Bearer {TOKEN}"),
        ("bitbucket_server", {"username": "u", "password": TOKEN}, basic("u")),
        ("github", {}, None),
    ],
)
def test_each_host_gets_its_own_token_user_name(
    kind: str, settings: dict[str, Any], header: str | None
) -> None:
    """A token's user name is the host's rule; a password has a user of its own."""
    integration = Integration.model_validate({"host": "h.example", **settings})
    assert authorization(kind, integration, "acme/shop") == header


def test_an_organisation_of_azure_has_its_own_token() -> None:
    """Backstage's `credentials`: by organisation, and one for all others."""
    own = AzureCredential(personal_access_token="own", organizations=["Acme"])
    other = AzureCredential(personal_access_token="other")
    integration = Integration(host="dev.azure.com", credentials=[own, other])
    for repository, secret in (("acme/p/_git/r", "own"), ("b/p/_git/r", "other")):
        expected = basic("", secret)
        assert authorization("azure", integration, repository) == expected
