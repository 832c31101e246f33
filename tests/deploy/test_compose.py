"""docker-compose.yml: a valid file, and one that keeps what it says."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from deploy.embedded.rundata import PORTAL, SERVICES
from deploy.engines import kafka, opa, opensearch
from tests.deploy.compose import (
    EXAMPLE,
    FILE,
    ROOT,
    compose,
    example,
    filled_example,
    networks,
    referred,
    services,
    volumes,
)

#: The schema of the Compose Specification (Apache-2.0), as compose-go 2.16.2 has it.
SCHEMA = Path(__file__).with_name("compose-spec.json")
ENGINES = ("kafka", "mongodb", "opensearch", "opa")
ONCE = ("topics", "certificates")
#: Run by hand alone.
BY_HAND = "operator"
OPEN_NETWORKS = {"front", "outbound"}


def test_the_compose_file_is_valid() -> None:
    """Every key is one that Compose knows, with a value of its kind."""
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    problems = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in Draft202012Validator(schema).iter_errors(compose())
    ]
    assert problems == []


def test_compose_accepts_the_file(tmp_path: Path) -> None:
    """Where Docker's Compose is installed, it reads the file without a warning."""
    docker = shutil.which("docker")
    if docker is None or _run([docker, "compose", "version"]).returncode:
        pytest.skip("needs the docker command with its compose plugin")
    environment = tmp_path / "env"
    lines = [f"{name}={value}" for name, value in filled_example().items()]
    environment.write_text("\n".join(lines))
    command = [docker, "compose", "--env-file", str(environment), "config", "--quiet"]
    done = _run(command)
    assert (done.returncode, done.stderr) == (0, "")
    refused = _run([docker, "compose", "--env-file", str(EXAMPLE), "config"])
    assert "see .env.example" in refused.stderr


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )


def test_the_compose_file_has_every_service() -> None:
    """It has the services, four engines, jobs and the manual command, no others."""
    assert set(services()) == {*SERVICES, *ENGINES, *ONCE, BY_HAND}


def test_the_env_example_lists_every_variable() -> None:
    """.env.example lists the variables of the compose file, and no others."""
    assert set(referred(FILE.read_text())) == set(example())


def test_secrets_have_no_default_value() -> None:
    """A portal without settings does not start; no password is public."""
    for name, how in referred(FILE.read_text()).items():
        default = example()[name]
        if name == "CALLBOARD_GIT_TOKEN":
            # Without it public repositories are read: nothing is opened by that.
            assert (how, default) == (":-", "")
        elif name.endswith(("PASSWORD", "SECRET", "TOKEN")):
            assert (how, default) == (":?", ""), name
        elif default == "":
            assert how == ":?", name


def test_images_have_the_pinned_versions_of_the_tests() -> None:
    """A vendor's image has a full version: that of deploy/engines."""
    images = {name: services()[name]["image"].split(":") for name in ENGINES}
    assert all(version.count(".") == 2 for _, version in images.values())
    assert images["kafka"][1] == version_of(kafka.JARS.artifact)
    # The jars' version goes on with a number of their own.
    assert version_of(opensearch.JARS.artifact).startswith(images["opensearch"][1])
    assert images["opa"][1] == opa.PROGRAM.version.removeprefix("v")


def version_of(artifact: str) -> str:
    """The last part of `group:artifact:version`."""
    return artifact.rpartition(":")[2]


@pytest.mark.parametrize("name", [*SERVICES, *ENGINES, *ONCE, BY_HAND])
def test_every_service_is_confined(name: str) -> None:
    """No capability, no new privilege, limited memory, processors and processes."""
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["CHOWN"] if name == "certificates" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= set(limits)
    assert service["logging"]["options"]["max-size"]
    if name not in {"kafka", "mongodb", "opensearch"}:
        # Those three write beside their data, each in its own way.
        assert service["read_only"] is True


def test_only_the_gateway_has_a_public_port() -> None:
    """The default address is this machine alone."""
    published = {name: service.get("ports") for name, service in services().items()}
    assert {name for name, ports in published.items() if ports} == {"gateway"}
    assert published["gateway"] == ["127.0.0.1:7007:8080"]


def test_only_services_that_need_it_reach_the_internet() -> None:
    """Engines, search and analytics are on internal networks alone."""
    declared = compose()["networks"]
    for name, network in declared.items():
        assert bool((network or {}).get("internal")) == (name not in OPEN_NETWORKS)
    for name in services():
        outside = networks(name) & OPEN_NETWORKS
        assert bool(outside) == (
            name in set(SERVICES) - {"search", "analytics", PORTAL}
        ), name
        assert networks(name) <= set(declared)


def test_services_start_after_their_dependencies() -> None:
    """Engines by their health, one-shots by their end; the code's topics first."""
    for name, service in services().items():
        for other, how in service.get("depends_on", {}).items():
            once = other in ONCE
            expected = "service_completed_successfully" if once else "service_healthy"
            assert how == {"condition": expected}, f"{name} on {other}"
            health = services()[other].get("healthcheck", {})
            assert bool(health.get("disable")) == once
    for name in set(SERVICES) - {PORTAL}:
        assert "topics" in services()[name]["depends_on"]


def test_no_two_services_write_to_one_volume() -> None:
    """State has one owner; shared volumes are read-only."""
    writers: dict[str, list[str]] = {}
    assert services()[BY_HAND]["profiles"]
    # It restores while the services are stopped.
    for name in set(services()) - {BY_HAND}:
        for source in volumes(name).values():
            if not source.endswith(":ro"):
                writers.setdefault(source, []).append(name)
    assert all(len(names) == 1 for names in writers.values()), writers
    assert set(writers) == set(compose()["volumes"])


def test_mounted_files_exist() -> None:
    """Docker would create a folder instead, and the engine would not start."""
    for name in services():
        for source in volumes(name).values():
            if source.startswith(".") and source.endswith(":ro"):
                assert (ROOT / source.removesuffix(":ro")).exists(), source


def test_each_image_is_built_by_the_stage_of_its_name() -> None:
    """The tag of an image says what is in it."""
    for name, service in services().items():
        if build := service.get("build"):
            image = build["args"]["SERVICE"]
            assert build["dockerfile"] == "deploy/Dockerfile"
            assert service["image"].startswith(f"callboard/{image}:")
            assert image == (name if name in SERVICES else "operator")


def test_kafka_advertises_the_address_of_the_services() -> None:
    """The services are configured with the address that Kafka advertises."""
    environment: dict[str, Any] = services()["kafka"]["environment"]
    advertised = environment["KAFKA_ADVERTISED_LISTENERS"].removeprefix("CLIENTS://")
    for name in (*(set(SERVICES) - {PORTAL}), "topics"):
        assert services()[name]["environment"]["CALLBOARD_KAFKA"] == advertised
    assert (
        f"CLIENTS://:{advertised.partition(':')[2]}," in environment["KAFKA_LISTENERS"]
    )
