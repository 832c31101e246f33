"""The recipe of the images, run step by step in empty folders, without Docker."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.embedded.engines import free_port
from deploy.embedded.rundata import SERVICES
from shared.kit.config.servers import Server
from tests.conftest import SERVERS
from tests.deploy.conftest import recipe
from tests.deploy.dockerfile import DOCKERFILE, SYSTEM, Image, stages_of
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "deploy" / "examples" / "production" / "app-config.yaml"
#: Whoever reads code by Git has it in the image; nobody else.
WITH_GIT = ("catalog", "scaffolder", "techdocs", "operator")
TOKEN = "a-token-for-tests"
SECRET = "a-secret-for-tests-only-0123456789abcdef"


def confined(command: list[str]) -> list[str]:
    """As docker-compose.yml confines it: no capability, no new privilege."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        return command
    return [setpriv, "--bounding-set=-all", "--no-new-privs", "--", *command]


def files(folder: Path) -> dict[str, int]:
    """Every file below, with its time: what is written shows."""
    paths = (path for path in folder.rglob("*") if not path.is_symlink())
    return {str(path): path.stat().st_mtime_ns for path in paths}


def lock_down(folder: Path) -> None:
    """Nobody may write here: the image's file system is read-only."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o555)


def unlock(folder: Path) -> None:
    """The test's own cleaning up may."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


@contextmanager
def started(image: Image, environment: dict[str, str], log: Path) -> Iterator[Any]:
    """The image's command, running in its read-only folder."""
    temporary = image.root / "tmp"
    temporary.mkdir()
    process_environment = {
        **image.environment,
        **environment,
        "CALLBOARD_HOST": "127.0.0.1",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
    }
    lock_down(image.code)
    with log.open("wb") as out:
        process = subprocess.Popen(
            confined(image.command),
            cwd=image.code,
            env=process_environment,
            stdout=out,
            stderr=out,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        unlock(image.code)


def told(
    service: str, addresses: dict[str, str], kafka: str, mongodb: str
) -> dict[str, str]:
    """What docker-compose.yml tells, for this machine's engines."""
    urls = {f"CALLBOARD_{name.upper()}_URL": url for name, url in addresses.items()}
    return {
        **urls,
        "CALLBOARD_KAFKA": kafka,
        "CALLBOARD_MONGODB": mongodb,
        "CALLBOARD_SERVICE_SECRET": SECRET,
        "CALLBOARD_CONFIG": str(CONFIG),
        "CALLBOARD_PORT": addresses[service].rpartition(":")[2],
        "CALLBOARD_BASE_URL": addresses["gateway"],
        "CALLBOARD_API_TOKEN": TOKEN,
        "CALLBOARD_GIT_HOST": "git.example.test",
        "CALLBOARD_GIT_TOKEN": "",
        "CALLBOARD_WEBHOOK_SECRET": "a-webhook-secret-for-tests",
    }


async def build_all(folder: Path) -> dict[str, Image]:
    """Every service's image, two at a time."""
    turns = asyncio.Semaphore(2)

    async def build(name: str) -> Image:
        async with turns:
            return await asyncio.to_thread(recipe(name, folder / name).build)

    images = dict(
        zip(SERVICES, await asyncio.gather(*map(build, SERVICES)), strict=True)
    )
    for name, image in images.items():
        if "git" in image.packages:
            (folder / name / "tools" / "git").symlink_to(str(shutil.which("git")))
    return images


async def wait_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until /readyz says so; what it and the log say, if it does not."""
    last = "no answer"

    async def ready() -> bool:
        nonlocal last
        if process.poll() is not None:
            raise AssertionError(f"ended\n{log.read_text()[-3000:]}")
        try:
            answer = await client.get("/readyz", timeout=10)
        except httpx.TransportError:
            return False
        last = answer.text
        return answer.status_code == 200

    async with httpx.AsyncClient(base_url=url) as client:
        try:
            await until(ready, f"{url} ready")
        except AssertionError as error:
            raise AssertionError(f"{last}\n{log.read_text()[-3000:]}") from error


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_each_image_runs_its_service(
    tmp_path: Path, kafka: str, mongodb: str, request: pytest.FixtureRequest
) -> None:
    """With its own lock and folders it is ready, and writes to /data alone."""
    images = await build_all(tmp_path)
    before = {name: files(image.code) for name, image in images.items()}
    addresses = {name: f"http://127.0.0.1:{free_port()}" for name in SERVICES}
    beside = servers_of(request)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    with ExitStack() as stack:
        for name, image in images.items():
            environment = told(name, addresses, kafka, mongodb) | beside.get(name, {})
            log = tmp_path / f"{name}.log"
            processes[name] = stack.enter_context(started(image, environment, log))
        for name, process in processes.items():
            await wait_ready(addresses[name], process, tmp_path / f"{name}.log")
            healthy(images[name], told(name, addresses, kafka, mongodb))
        async with httpx.AsyncClient(base_url=addresses["gateway"]) as client:
            await the_portals_assets_are_served(client)
            await every_service_is_there(client)
    for name, image in images.items():
        assert files(image.code) == before[name], name
        code = processes[name].returncode
        assert code in {0, -15}, (tmp_path / f"{name}.log").read_text()[-3000:]


def servers_of(request: pytest.FixtureRequest) -> dict[str, dict[str, str]]:
    """The other two engines' addresses for who uses them, if this run has them."""
    if not SERVERS:
        return {}
    index: Server = request.getfixturevalue("opensearch")
    return {
        "search": {"CALLBOARD_OPENSEARCH": index.address},
        "gateway": {"CALLBOARD_OPA": request.getfixturevalue("opa")},
    }


def healthy(image: Image, environment: dict[str, str]) -> None:
    """The image's own health check agrees."""
    done = subprocess.run(
        image.health,
        env={**image.environment, **environment},
        check=False,
        capture_output=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr.decode()[-500:]


async def every_service_is_there(client: httpx.AsyncClient) -> None:
    """Through the gateway, with the operator's token of the example configuration."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = await client.get("/api/status", headers=headers)
    assert answer.status_code == 200, answer.text
    ready = {service["name"]: service["ready"] for service in answer.json()["services"]}
    assert ready == dict.fromkeys(SERVICES, True)


async def the_portals_assets_are_served(client: httpx.AsyncClient) -> None:
    """What comes from a package at build time is in the image."""
    page = await client.get("/", follow_redirects=True)
    assert page.status_code in {200, 401}
    start = page.text.index("htmx.min")
    begin = page.text.rindex('"', 0, start) + 1
    asset = await client.get(page.text[begin : page.text.index('"', start)])
    assert asset.status_code == 200
    assert len(asset.content) > 10_000


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "command", [["topics", "--help"], ["validate", "--help"], ["backup", "--help"]]
)
def test_the_operators_image_has_the_command_line(
    command: list[str], operator: Image
) -> None:
    """`callboard` runs there with what its own lock brings."""
    done = subprocess.run(
        ["python", "-m", operator.environment["CALLBOARD_MODULE"], *command],
        cwd=operator.code,
        env=operator.environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_certificates_are_created_once_and_valid(
    operator: Image, tmp_path: Path
) -> None:
    """The one-shot of docker-compose.yml creates them, and keeps valid ones."""
    outputs = [
        subprocess.run(
            ["python", "-m", "deploy.certificates", str(tmp_path), "opensearch"],
            cwd=operator.code,
            env=operator.environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        for _ in range(2)
    ]
    assert "made" in outputs[0]
    assert "kept" in outputs[1]


def test_only_images_that_use_git_have_it() -> None:
    """An image has no program that its service never runs."""
    stages = stages_of(DOCKERFILE.read_text())
    for name in (*SERVICES, "operator"):
        assert (stages[name].base == "git") == (name in WITH_GIT), name


def test_the_final_stage_is_confined() -> None:
    """No privileged user, no build tools, one writable folder."""
    stages = stages_of(DOCKERFILE.read_text())
    final = {step.word: step.rest for step in stages["final"].steps}
    assert final["USER"] == "10001:10001"
    assert final["VOLUME"] == "/data"
    runs = [s.rest for stage in stages.values() for s in stage.steps if s.word == "RUN"]
    installed = " ".join(run for run in runs if run.startswith(SYSTEM))
    assert not {"gcc", "build-essential", "make", "curl"} & set(installed.split())


def test_base_images_are_pinned_and_packages_hashed() -> None:
    """The same recipe makes the same image: no moving tag, no package unchecked."""
    text = DOCKERFILE.read_text()
    stages = stages_of(text)
    outside = {s.base for s in stages.values()} - set(stages) - {"${SERVICE}"}
    assert outside
    for base in outside:
        assert base.partition(":")[2].count(".") == 2, base
    runs = [s.rest for stage in stages.values() for s in stage.steps if s.word == "RUN"]
    for run in runs:
        if " install " in run and not run.startswith(SYSTEM):
            assert "--require-hashes" in run, run


def test_every_copied_folder_is_in_the_build_context() -> None:
    """No step needs what .dockerignore excludes."""
    lines = (ROOT / ".dockerignore").read_text().split()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    stages = stages_of(DOCKERFILE.read_text())
    for stage in stages.values():
        for step in stage.steps:
            if step.word == "COPY" and "--from" not in step.rest:
                source = step.rest.split()[0]
                assert source.split("/")[0] in allowed, step.rest
