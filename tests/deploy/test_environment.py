"""What docker-compose.yml tells a service is what the service's code reads."""

import importlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import ValidationError

from deploy.cli.configuration import check_config
from deploy.embedded.rundata import PORTAL, SERVICES
from services.gateway.assembly import sign_in_rules
from services.gateway.configuration import GatewayConfig
from services.gateway.settings import Settings as GatewaySettings
from services.portal.configuration import PagesConfig
from shared.kit.config.sections import load_config
from shared.kit.config.settings import ProcessSettings, ServiceSettings
from shared.kit.config.values import VARIABLE
from tests.deploy.compose import (
    CONFIG,
    ROOT,
    compose,
    networks,
    services,
    volumes,
)
from tests.deploy.dockerfile import stages_of

#: What a setting's address is called in the code that uses it.
USES = {
    "CALLBOARD_KAFKA": r"settings\.(event_log|kafka)\b",
    "CALLBOARD_MONGODB": r"settings\.documents\b",
    "CALLBOARD_OPENSEARCH": r"settings\.(index_server|opensearch)\b",
    "CALLBOARD_OPA": r"settings\.(policy_server|opa)\b",
}


def source(service: str) -> str:
    """All code of a service."""
    files = (ROOT / "services" / service).rglob("*.py")
    return "\n".join(path.read_text() for path in files)


def loads_configuration(service: str) -> bool:
    """Whether the service reads the installation's configuration."""
    return "load_config" in source(service)


def image_environment() -> dict[str, str]:
    """What the image itself says, in its last stage."""
    last = (ROOT / "deploy" / "Dockerfile").read_text().split("\nFROM ")[-1]
    return dict(re.findall(r"(CALLBOARD_\w+)=(\S+)", last))


def environment(service: str) -> dict[str, str]:
    """What a service's process finds."""
    own_environment: dict[str, str] = services()[service]["environment"]
    return {**image_environment(), **own_environment}


def settings_of(service: str) -> type[ProcessSettings]:
    module = importlib.import_module(f"services.{service}.settings")
    settings: type[ProcessSettings] = module.Settings
    return settings


def names(settings: type[ProcessSettings]) -> set[str]:
    """The variables that a Settings class reads."""
    return {
        str(field.validation_alias or f"CALLBOARD_{name.upper()}")
        for name, field in settings.model_fields.items()
    }


def configured() -> set[str]:
    """The variables that the example's configuration refers to."""
    lines = CONFIG.read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return {variable[1] for variable in VARIABLE.findall(text)}


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def settings(service: str, monkeypatch: pytest.MonkeyPatch) -> ProcessSettings:
    """The service's settings, as its container would read them."""
    for name, value in environment(service).items():
        monkeypatch.setenv(name, value)
    return settings_of(service)()


def test_every_variable_is_read_by_its_service(service: str) -> None:
    """A misspelt variable would have no effect."""
    known_names = names(settings_of(service))
    if loads_configuration(service):
        known_names |= configured()
    assert set(services()[service]["environment"]) <= known_names


def test_the_settings_of_each_service_are_complete(
    service: str, settings: ProcessSettings
) -> None:
    """Every required setting is given, and every value is allowed."""
    assert settings.host == "0.0.0.0"
    assert str(settings.data) in volumes(service)
    if isinstance(settings, ServiceSettings):
        assert settings.service_secret.get_secret_value()


def test_a_former_name_of_a_variable_is_refused_by_name(
    service: str, settings: ProcessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start fails that sets a variable by its former name; the error says the new."""
    assert set(settings.RENAMED.values()) <= names(type(settings))
    for former_name, name in settings.RENAMED.items():
        with monkeypatch.context() as patched:
            patched.setenv(former_name, "5")
            with pytest.raises(
                ValidationError, match=f"{former_name} is called {name} now"
            ):
                settings_of(service)()


def test_the_configuration_is_mounted_for_each_reader(
    service: str, settings: ProcessSettings
) -> None:
    """Each of its variables is given or withheld."""
    if not loads_configuration(service):
        assert not configured() & set(environment(service))
        return
    assert volumes(service)[str(settings.config.parent)].endswith(":ro")
    assert settings.config.name == CONFIG.name
    variables = environment(service)
    if service == PORTAL:
        # Pages read nothing else of the file that holds a variable.
        assert configured() & set(variables) == {"CALLBOARD_GIT_HOST"}
        assert load_config(CONFIG, variables, PagesConfig).permission.enabled
        return
    withheld = set(variables["CALLBOARD_WITHHELD"].split(","))
    assert configured() <= set(variables) | withheld
    assert not withheld & set(variables)


def test_secrets_are_given_to_the_services_that_need_them() -> None:
    """The gateway has the sign-in secrets, readers have the Git token."""
    front = {"CALLBOARD_API_TOKEN", "CALLBOARD_WEBHOOK_SECRET"}
    for name in SERVICES:
        variables = set(environment(name))
        assert variables & front == (front if name == "gateway" else set())
        reads = name in ("catalog", "scaffolder", "techdocs")
        assert ("CALLBOARD_GIT_TOKEN" in variables) is reads


def test_urls_have_the_ports_of_their_services(
    service: str, settings: ProcessSettings
) -> None:
    """Each URL ends at the port that the service of that name listens at."""
    urls = {"gateway": settings.gateway_url}
    if isinstance(settings, ServiceSettings):
        urls = settings.urls()
    if isinstance(settings, GatewaySettings):
        urls[PORTAL] = settings.portal_url
    for name, url in urls.items():
        parts = urlsplit(url)
        assert parts.hostname == name
        assert parts.port == int(environment(name)["CALLBOARD_PORT"])
    check = services()[service]["healthcheck"]["test"][-1]
    assert f"http://127.0.0.1:{settings.port}/readyz" in check
    published = services()[service].get("ports", [])
    assert all(port.endswith(f":{settings.port}") for port in published)


def test_engine_addresses_are_given_to_their_users(service: str) -> None:
    """With a network that reaches the engine."""
    for variable, pattern in USES.items():
        address = environment(service).get(variable)
        if re.search(pattern, source(service)):
            assert address, f"{variable} is used and not told"
            host = urlsplit(address if "//" in address else f"//{address}").hostname
            assert networks(service) & networks(str(host)), variable
        elif address:
            # Required of everybody; without credentials, for it is not used.
            assert variable == "CALLBOARD_MONGODB"
            assert f"{variable}_PASSWORD" not in environment(service)


def test_engine_addresses_have_the_ports_of_the_engines() -> None:
    """The port of an address is the engine's."""
    opa = services()["opa"]["command"]
    listens = opa[opa.index("--addr") + 1].rpartition(":")[2]
    assert environment("gateway")["CALLBOARD_OPA"] == f"http://opa:{listens}"
    for service in SERVICES:
        if service != PORTAL:
            assert environment(service)["CALLBOARD_MONGODB"].endswith(":27017")
    assert environment("search")["CALLBOARD_OPENSEARCH"].endswith(":9200")


def test_credentials_of_clients_and_engines_match() -> None:
    """Each service has the user and password that its engine expects."""
    server_environment = services()["mongodb"]["environment"]
    for name in SERVICES:
        client_environment = environment(name)
        if "CALLBOARD_MONGODB_PASSWORD" in client_environment:
            for key in ("CALLBOARD_MONGODB_USER", "CALLBOARD_MONGODB_PASSWORD"):
                assert client_environment[key] == server_environment[key]
    client_environment, server_environment = (
        environment("search"),
        services()["opensearch"]["environment"],
    )
    key = "CALLBOARD_OPENSEARCH_PASSWORD"
    assert client_environment[key] == server_environment[key]
    users = yaml.safe_load(opensearch_file("security/internal_users.yml").read_text())
    user = users[client_environment["CALLBOARD_OPENSEARCH_USER"]]
    assert user["hash"] == f"${{envbc.{key}}}"
    assert set(users) == {"_meta", client_environment["CALLBOARD_OPENSEARCH_USER"]}
    assert "MONGODB_USER" in mongodb_script()


def opensearch_file(name: str) -> Path:
    return ROOT / "deploy" / "compose" / "opensearch" / name


def mongodb_script() -> str:
    return (ROOT / "deploy" / "compose" / "mongodb.js").read_text()


def test_mongodbs_user_may_use_every_services_database() -> None:
    """The names in the script are those of the services that have one."""
    match = re.search(r"databases = \[([^\]]*)\]", mongodb_script())
    assert match
    assert set(re.findall(r"\w+", match[1])) == set(SERVICES) - {PORTAL, "analytics"}
    variables = set(services()["mongodb"]["environment"])
    assert set(re.findall(r"process\.env\.(\w+)", mongodb_script())) <= variables


def test_certificates_are_where_opensearch_and_search_read_them() -> None:
    """The one-shot's files, under the configured names."""
    command = services()["certificates"]["command"]
    name = command[command.index("deploy.certificates") + 2]
    expected = {"ca.pem", f"{name}.pem", f"{name}-key.pem"}
    settings = yaml.safe_load(opensearch_file("opensearch.yml").read_text())
    files = {str(v) for k, v in settings.items() if k.endswith("_filepath")}
    assert {file.removeprefix("certificates/") for file in files} == expected
    mounted = "/usr/share/opensearch/config/certificates"
    assert volumes("opensearch")[mounted] == "certificates:ro"
    assert environment("search")["CALLBOARD_OPENSEARCH_CA"] == "/certificates/ca.pem"
    assert volumes("search")["/certificates"] == "certificates:ro"


def test_opa_gets_the_variables_of_its_configuration() -> None:
    """OPA's own file refers to variables that its container has."""
    text = (ROOT / "deploy" / "policies" / "opa.yaml").read_text()
    required = set(re.findall(r"\$\{(\w+)\}", text))
    variables: dict[str, Any] = services()["opa"]["environment"]
    assert required == set(variables)
    assert (
        variables["CALLBOARD_GATEWAY_URL"]
        == environment("gateway")["CALLBOARD_GATEWAY_URL"]
    )
    key = "CALLBOARD_GATEWAY_BUNDLE_TOKEN"
    assert variables[key] == environment("gateway")[key]


def test_the_example_configuration_is_secure() -> None:
    """No sign-in without proof, the policy enabled, no file of the server readable."""
    assert check_config(CONFIG, environment("gateway"), needs_variables=False) == []
    config = load_config(CONFIG, environment("gateway"), GatewayConfig)
    rules = sign_in_rules(config)
    assert (rules.guest_ref, config.auth.development_sign_in) == (None, False)
    assert config.permission.enabled
    pages = load_config(CONFIG, environment("portal"), PagesConfig)
    assert not pages.catalog.file_locations
    assert config.backend.reading.allow == []
    assert len(config.auth.static_tokens) == 1


def test_compose_builds_existing_stages_only() -> None:
    """Every SERVICE argument is a stage of the Dockerfile."""
    stages = stages_of((ROOT / "deploy" / "Dockerfile").read_text())
    for service in compose()["services"].values():
        if "build" in service:
            assert service["build"]["args"]["SERVICE"] in stages
