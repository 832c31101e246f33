"""The configuration: Backstage's sections, the environment's values, errors by key."""

from pathlib import Path

import pytest

from deploy.cli.configuration import PortalConfig
from shared.contracts.errors import Invalid
from shared.kit.config.sections import load_config, unknown_keys


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "app-config.yaml"
    path.write_text(text)
    return path


def test_backstages_configuration_file_is_read(tmp_path: Path) -> None:
    """Known sections are read, unknown keys are reported, `guest:` alone counts."""
    text = """
app: {title: Shop}
organization: {name: Shop}
backend: {baseUrl: 'http://x', database: {client: pg}, reading: {allow: [{host: a}]}}
auth: {providers: {guest: }}
catalog:
  rules: [{allow: [Component, {kind: Template, spec.type: service}]}]
  locations: [{type: url, target: 'https://a/b'}]
  processingInterval: false
"""
    portal_config = load_config(config(tmp_path, text), {}, PortalConfig)
    assert portal_config.organization.name == "Shop"
    assert portal_config.auth.providers.guest is not None
    assert portal_config.catalog.locations[0].target == "https://a/b"
    unknown = unknown_keys(PortalConfig, portal_config.model_dump(by_alias=True))
    assert [unknown_key.key for unknown_key in unknown] == [
        "backend.database",
        "catalog.processingInterval",
    ]


def test_public_hosts_need_no_name(tmp_path: Path) -> None:
    """As Backstage's manual writes them: credentials alone."""
    path = tmp_path / "app-config.yaml"
    path.write_text(
        "integrations:\n"
        "  github: [{token: a}, {host: hub.example.org}]\n"
        "  gitlab: [{token: b}]\n"
        "  azure: [{credentials: [{personalAccessToken: c}]}]\n"
        "  bitbucketCloud: [{username: d, appPassword: e}]\n"
    )
    integrations = load_config(path, {}, PortalConfig).integrations
    hosts = [item.host for _, item in integrations.each()]
    assert hosts == [
        "github.com",
        "hub.example.org",
        "gitlab.com",
        "bitbucket.org",
        "dev.azure.com",
    ]


def test_variables_of_the_environment_are_substituted(tmp_path: Path) -> None:
    """`${NAME}`, its default, and the escape."""
    text = "organization: {name: '${ORG}-${X:-y}-$${Z}'}"
    portal_config = load_config(config(tmp_path, text), {"ORG": "shop"}, PortalConfig)
    assert portal_config.organization.name == "shop-y-${Z}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("organization: {name: '${NO_SUCH}'}", "organization.name.*NO_SUCH"),
        (
            "catalog: {defaultLocationConflictStrategy: x}",
            "catalog.defaultLocationConflictStrategy",
        ),
        ("permission: {enabled: perhaps}", "permission.enabled"),
        ("[1, 2]", "object"),
        ("a: [", "YAML"),
    ],
)
def test_configuration_errors_name_the_key(
    tmp_path: Path, text: str, named: str
) -> None:
    """A missing variable and an unknown value are errors that name the key."""
    with pytest.raises(Invalid, match=named):
        load_config(config(tmp_path, text), {}, PortalConfig)


def test_a_printed_configuration_hides_tokens(tmp_path: Path) -> None:
    """Printing the configuration prints no secret."""
    text = "integrations: {github: [{host: github.com, token: hunter2}]}"
    assert "hunter2" not in repr(load_config(config(tmp_path, text), {}, PortalConfig))


@pytest.mark.parametrize(
    "text",
    [
        "backend: {database: {connection: {host: '${PGHOST}'}}}",
        "app: {support: {url: '${URL}'}}",
        "integrations: {github: [{token: a, commitSigningKey: '${KEY}'}]}",
        "auth: {providers: {github: {production: {clientId: {$env: ID}}}}}",
        "catalog: {providers: {git: {a: {host: b, schedule: {$include: c.yaml}}}}}",
        "proxy: {endpoints: {/x: '${PROXY}'}}",
    ],
)
def test_keys_that_nothing_reads_need_no_variables(tmp_path: Path, text: str) -> None:
    """As they are written, unread keys are no more than unknown."""
    load_config(config(tmp_path, text), {}, PortalConfig)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("integrations: {github: [{token: '${NO_SUCH}'}]}", "integrations.github.0"),
        ("catalog: {providers: {git: {a: {host: '${NO_SUCH}'}}}}", "git.a.host"),
        ("catalog: {rules: [{allow: [{kind: '${NO_SUCH}'}]}]}", "allow.0.kind"),
        ("scaffolder: {defaultEnvironment: {a: {b: ['${NO_SUCH}']}}}", "a.b.0"),
        ("backend: {base_url: '${NO_SUCH}'}", "backend.base_url"),
        ("auth: {staticTokens: [{subject: a, token: {$env: NO_SUCH}}]}", "0.token"),
    ],
)
def test_keys_that_are_read_need_their_variables(
    tmp_path: Path, text: str, key: str
) -> None:
    """In lists, by name and in values of any form."""
    with pytest.raises(Invalid, match=f"{key}.*: the environment has no .* NO_SUCH"):
        load_config(config(tmp_path, text), {}, PortalConfig)


def test_values_come_from_variables_and_files(tmp_path: Path) -> None:
    """`$env` and `$file`, from the configuration's folder."""
    (tmp_path / "secret.txt").write_text("hunter2 ${A}\n")
    path = config(
        tmp_path,
        "integrations:\n"
        "  github: [{token: {$env: A}}, {token: {$file: '${NAME}.txt'}}]\n",
    )
    environ = {"A": "b", "NAME": "secret"}
    tokens = [
        item.token.get_secret_value() if item.token else None
        for item in load_config(path, environ, PortalConfig).integrations.github
    ]
    assert tokens == ["b", "hunter2 ${A}"]


@pytest.mark.parametrize(
    ("reference", "rule"),
    [
        ("{$file: gone.txt}", "gone.txt cannot be read: No such file"),
        ("{$file: large.txt}", "large.txt has over 1000000 bytes"),
        ("{$file: bytes.txt}", "bytes.txt must be text in UTF-8"),
        ("{$file: [a]}", "must be the only key here, with a text"),
        ("{$env: A, $file: b}", "must be the only key here, with a text"),
        ("{$include: a.yaml#b}", "is not supported: put the file's content here"),
    ],
)
def test_references_that_lead_nowhere_are_refused(
    tmp_path: Path, reference: str, rule: str
) -> None:
    """The error names the key, the file and the rule."""
    (tmp_path / "large.txt").write_bytes(b"a" * 1_000_001)
    (tmp_path / "bytes.txt").write_bytes(b"\xff")
    path = config(tmp_path, f"organization: {{name: {reference}}}")
    with pytest.raises(Invalid, match=f"organization.name: .*{rule}"):
        load_config(path, {}, PortalConfig)


def test_an_include_in_place_of_a_section_is_refused(tmp_path: Path) -> None:
    """Not read as a section without keys."""
    for text in (
        "catalog: {$include: a.yaml}",
        "integrations: {github: [$include: a]}",
    ):
        with pytest.raises(Invalid, match="include is not supported"):
            load_config(config(tmp_path, text), {}, PortalConfig)


def test_words_have_the_meaning_of_yaml_1_2(tmp_path: Path) -> None:
    """`NO` is a text, `on` counts as true where that is asked for, and `<<` merges."""
    text = """
base: &base {host: git.example, branch: off}
organization: {name: NO}
permission: {enabled: on}
catalog:
  readonly: Yes
  providers: {git: {y: {<<: *base}, 1.0: {<<: *base, branch: y}, null: {host: a}}}
"""
    portal_config = load_config(config(tmp_path, text), {}, PortalConfig)
    assert portal_config.organization.name == "NO"
    assert portal_config.permission.enabled
    assert portal_config.catalog.readonly
    providers = portal_config.catalog.providers.git
    assert {name: item.branch for name, item in providers.items()} == {
        "y": "off",
        "1.0": "y",
        "null": "",
    }


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        (
            "backend: {reading: {allow: [{host: VALUE}]}}",
            "backend.reading.allow.0.host",
            ["https://hunter2.example", "hunter2/a", "u:hunter2@a", "*", ""],
        ),
        (
            "backend: {allowedHosts: [VALUE]}",
            "backend.allowedHosts.0",
            ["https://hunter2.example"],
        ),
        (
            "integrations: {gitlab: [{host: VALUE}]}",
            "integrations.gitlab.0.host",
            ["https://hunter2/", "hunter2/a", "u:hunter2@a", "*.a", ""],
        ),
        ("integrations: {gitea: [{host: VALUE}]}", "gitea.0.host", ["http://hunter2"]),
        (
            "integrations: {gitlab: [{apiBaseUrl: VALUE}]}",
            "integrations.gitlab.0.apiBaseUrl",
            ["hunter2/api"],
        ),
        ("app: {baseUrl: VALUE}", "app.baseUrl", ["hunter2 a", "ftp://hunter2"]),
        (
            "backend: {baseUrl: VALUE}",
            "backend.baseUrl",
            [
                "hunter2.example",
                "http://",
                "https://ben:hunter2@portal.example",
                "https://portal.example:hunter2",
                "https://portal.example:65536/hunter2",
                "https://portal.example:80, hunter2",
            ],
        ),
        (
            "catalog: {locations: [{type: url, target: VALUE}]}",
            "catalog.locations.0.target",
            ["https://ben:hunter2@host.example/a.yaml"],
        ),
        (
            "auth: {staticTokens: [{subject: a, token: VALUE}]}",
            "auth.staticTokens.0.token",
            ["hunter2", " " * 8, "hunter2 hunter2", "hunter2\thunter2", " hunter2x"],
        ),
        (
            "auth: {providers: {guest: {userEntityRef: VALUE}}}",
            "auth.providers.guest.userEntityRef",
            ["no hunter2!", "user:", "a:b:hunter2"],
        ),
        (
            "permission: {platformTeam: [VALUE]}",
            "permission.platformTeam.0",
            ["hunter2", "groop:default/hunter2", "group:", "group:a/b/hunter2"],
        ),
    ],
)
def test_values_that_cannot_work_stop_the_start(
    tmp_path: Path, text: str, key: str, values: list[str]
) -> None:
    """The error names the key and the rule, and not the value."""
    for value in values:
        path = config(tmp_path, text.replace("VALUE", f"'{value}'"))
        with pytest.raises(Invalid, match=f"{key}: must ") as raised:
            load_config(path, {}, PortalConfig)
        assert "hunter2" not in raised.value.message


def test_values_that_can_work_are_accepted(tmp_path: Path) -> None:
    """Ports, wildcards, short refs, and empty values where absent ones are allowed."""
    text = """
app: {baseUrl: ''}
backend:
  baseUrl: http://[::1]:7007/a
  allowedHosts: ['*.example.org', localhost]
  reading: {allow: [{host: '*.mozilla.org'}, {host: '127.0.0.1:7099'}]}
integrations: {gitlab: [{host: 'git_lab.example:8443', apiBaseUrl: 'http://a/api'}]}
auth:
  staticTokens: [{subject: a, token: ''}]
  providers: {guest: {userEntityRef: guest}}
permission: {platformTeam: ['group:Platform', 'USER:default/ann.b-c_d']}
"""
    portal_config = load_config(config(tmp_path, text), {}, PortalConfig)
    assert portal_config.app.base_url is None
    assert portal_config.permission.platform_team == [
        "group:default/platform",
        "user:default/ann.b-c_d",
    ]


def test_a_reference_in_place_of_the_whole_file_is_refused(tmp_path: Path) -> None:
    """The error names the reference, with or without sections beside it."""
    for text in ("$include: a.yaml", "{$file: a, app: {}}", "$env: A"):
        rule = "app-config.yaml: .[a-z]+ cannot stand for the whole file"
        with pytest.raises(Invalid, match=rule):
            load_config(config(tmp_path, text), {"A": "x"}, PortalConfig)
