"""Templates and documentation that reach for what is not theirs."""

import http.client
import secrets
from typing import Any

import pytest

from tests.e2e.running import ANN, BEN, HOST, SERVICE, Portal, eventually, problem
from tests.e2e.runs import TASKS, finished_run, log_text, template

OUTSIDE = "Relative path is not allowed to refer to a directory outside its parent"
REACHING = [
    "${{ ''.__class__.__mro__[1].__subclasses__() }}",
    "${{ parameters.__class__ }}",
    "${{ parameters['__class__'] }}",
    "${{ parameters | attr('__class__') }}",
    "${{ self.__init__.__globals__ }}",
    "${{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "${{ [].constructor.constructor('return process')() }}",
    "${{ user.entity.constructor }}",
    "{% for k in ().__class__.__base__.__subclasses__() %}${{ k }}{% endfor %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}${{ os.environ }}",
]
ENDLESS = [
    "${{ range(1000000000) | join }}",
    "{% for x in range(9999999) %}x{% endfor %}",
]


def dry_run(system: Portal, action: str, values: Any, *files: dict[str, Any]) -> Any:
    """The answer to trying one step; `files` lie beside the template."""
    body = {
        "template": template("tried", {"action": action, "input": values}),
        "values": {"name": "x"},
        "secrets": {},
        "directoryContents": list(files),
    }
    return system.as_(BEN).post("/api/scaffolder/v2/dry-run", json=body)


@pytest.mark.parametrize("code", REACHING)
def test_template_code_cannot_reach_python_attributes(
    system: Portal, code: str
) -> None:
    """Nothing of Python or of the server is in a response."""
    answer = dry_run(system, "debug:log", {"message": code})
    if answer.status_code == 200:
        log = answer.json()["log"]
        messages = [e["body"]["message"] for e in log if e["body"].get("stepId")]
        text = "\n".join(messages).replace(code, "")
    else:
        assert answer.status_code in (400, 500)
        text = problem(answer)[2].replace(code, "")
    for secret in ("<class", "function", "uid=", "root:", "environ", "CALLBOARD_"):
        assert secret not in text


@pytest.mark.parametrize("code", ENDLESS)
def test_endless_template_code_is_stopped(system: Portal, code: str) -> None:
    """The error names the limit."""
    status, name, message = problem(dry_run(system, "debug:log", {"message": code}))
    assert (status, name) in ((400, "TemplateLimitError"), (500, "TemplateLimitError"))
    assert "limit of" in message
    assert system.as_(ANN).get("/api/scaffolder/v2/actions").status_code == 200


@pytest.mark.parametrize(
    ("action", "values"),
    [
        ("fs:delete", {"files": ["../../../../etc/passwd"]}),
        ("fs:delete", {"files": ["/etc/passwd"]}),
        ("fs:rename", {"files": [{"from": "a.txt", "to": "../../a.txt"}]}),
        ("fs:rename", {"files": [{"from": "../../keys", "to": "keys"}]}),
        ("fetch:plain", {"url": "./content", "targetPath": "../x"}),
        ("fetch:plain", {"url": "../../../../etc", "targetPath": "x"}),
        ("fetch:template", {"url": "./content", "targetPath": "/tmp", "values": {}}),
        ("catalog:write", {"filePath": "../x.yaml", "entity": {"kind": "API"}}),
    ],
)
def test_actions_cannot_leave_their_workspace(
    system: Portal, action: str, values: dict[str, Any]
) -> None:
    """403; nothing outside is read, written or removed."""
    file = {"path": "a.txt", "base64Content": "YQ==", "executable": False}
    before = sorted(path.name for path in system.data.iterdir())
    answer = dry_run(system, action, values, file)
    assert problem(answer) == (403, "NotAllowedError", OUTSIDE)
    assert sorted(path.name for path in system.data.iterdir()) == before


def test_dry_run_files_cannot_leave_their_folder(system: Portal) -> None:
    """The paths of a dry run's files obey the same rule."""
    file = {"path": "../../evil.txt", "base64Content": "YQ=="}
    answer = dry_run(system, "debug:log", {"message": "x"}, file)
    assert problem(answer) == (403, "NotAllowedError", OUTSIDE)
    assert not list(system.data.rglob("evil.txt"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc", "neither relative nor http(s)"),
        ("https://elsewhere.example/acme/kit/tree/main", "backend.reading.allow"),
        (f"{HOST}/payments/tree/main/../../org", "outside the repository"),
    ],
)
def test_only_allowed_sources_are_fetched(system: Portal, url: str, words: str) -> None:
    """Another source is refused by name."""
    run = finished_run(system, {"action": "fetch:plain", "input": {"url": url}})
    assert run["status"] == "failed"
    assert words in log_text(system, run)


@pytest.mark.parametrize("name", ["../../evil", "..", "a/../../evil", "evil.git"])
def test_a_repository_name_cannot_leave_its_folder(system: Portal, name: str) -> None:
    """A run with such a name fails, and creates nothing."""
    values = {"repoUrl": f"git.playhouse.example?repo={name}"}
    run = finished_run(system, {"action": "publish:git", "input": values})
    assert run["status"] == "failed"
    assert "repository: " in log_text(system, run)
    assert not list(system.data.parent.glob("evil*"))
    assert not [path for path in system.data.rglob("evil*") if path.is_dir()]


def test_invalid_parameters_start_no_run(system: Portal) -> None:
    """400 that names the field and its rule."""
    before = system.get(TASKS)["totalTasks"]
    values = {
        "name": "Not A Name",
        "description": "short",
        "owner": "group:default/money",
    }
    body = {"templateRef": "template:default/python-service", "values": values}
    answer = system.as_(BEN).post(TASKS, json=body)
    assert answer.status_code == 400
    errors = str(answer.json()["errors"])
    assert "instance.name" in errors
    assert "pattern" in errors
    assert "instance.description" in errors
    assert system.get(TASKS)["totalTasks"] == before


@pytest.mark.parametrize(
    "path",
    [
        "/api/techdocs/static/docs/default/component/payments/../../../../../keys/{key}",
        "/api/techdocs/static/docs/default/component/payments/..%2f..%2f..%2fkeys%2f{key}",
        "/api/techdocs/static/docs/default/component/payments/%2e%2e/%2e%2e/keys/{key}",
        "/api/techdocs/static/docs/..%2f..%2fkeys/{key}",
        "/docs/default/component/payments/..%2f..%2f..%2fkeys%2f{key}",
        "/assets/x/..%2f..%2f..%2fports.py",
        "/assets/x/../../../ports.py",
    ],
)
def test_paths_of_docs_and_assets_cannot_leave_the_site(
    system: Portal, path: str
) -> None:
    """However the dots are written."""
    host = system.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=20)
    headers = {"Authorization": system.as_(SERVICE).headers["Authorization"]}
    connection.request("GET", path.format(key="service.secret"), headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    assert answer.status in (307, 400, 404)
    if answer.status == 307:
        assert system.as_(SERVICE).get(answer.headers["Location"]).status_code == 404
    secret = (system.data / "keys" / "service.secret").read_text().strip()
    assert secret not in body
    assert "Protocol" not in body


def test_docs_that_refer_outside_are_not_built(system: Portal) -> None:
    """Hooks, foreign plugins and a folder outside fail the build, by name."""
    name = f"sly-{secrets.token_hex(3)}"
    component = (
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n"
        f"  name: {name}\n  annotations:\n    backstage.io/techdocs-ref: dir:.\n"
        "spec:\n  type: service\n  lifecycle: production\n  owner: money\n"
    )
    marker = system.data / "hooked"
    hook = f"open({str(marker)!r}, 'w').write('x')\n"
    settings = "site_name: Sly\ndocs_dir: ../../../keys\nhooks: [hook.py]\n"
    files = {
        "catalog-info.yaml": component,
        "mkdocs.yml": settings,
        "hook.py": hook,
        "docs/index.md": "# Sly\n",
    }
    system.repository(name, files)
    ref = f"component:default/{name}"
    heard = eventually(lambda: failed(system, ref), "the failed build is told")
    assert "docs_dir" in heard
    assert not marker.exists()


def failed(system: Portal, ref: str) -> str:
    """Why the latest build of an entity's documentation failed, once it did."""
    kind, _, rest = ref.partition(":")
    namespace, _, name = rest.partition("/")
    path = f"/api/techdocs/sync/{namespace}/{kind}/{name}"
    answer = system.as_(ANN).get(path, headers={"Accept": "text/event-stream"})
    return answer.text if "docs_dir" in answer.text else ""
