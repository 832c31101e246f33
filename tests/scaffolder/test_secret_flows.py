"""Secrets on their ways through a run: nothing made of them is seen anywhere."""

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scaffolder.dialect.template import Dialect
from services.scaffolder.filters import template_filters
from services.scaffolder.hidden import masked, secret_names
from services.scaffolder.model import Initiator, Task, fresh_steps
from services.scaffolder.redaction import Redactor
from services.scaffolder.store import documents
from services.scaffolder.twins import LearningDialect, Twins, rendered
from services.scaffolder.vault import FernetVault
from shared.contracts.topics import TEMPLATE_RUN
from shared.kit.bus import LiveReader
from shared.kit.mongo import connect
from tests.builders import template
from tests.scaffolder.calls import create, frames, messages, reached, say, step
from tests.waiting import until

SECRET = "Glockenspiel-4711/x"
#: One whose letters are all good in a path.
WORD = "Glockenspiel-4711x"
DERIVED = (
    SECRET,
    SECRET.upper(),
    SECRET.lower(),
    SECRET[::-1],
    SECRET[2:14],
    base64.b64encode(f"ann:{SECRET}".encode()).decode()[8:28],
)
CONFIG = """
organization: {name: Test}
scaffolder:
  defaultEnvironment:
    parameters: {region: eu}
    secrets: {SIGNING_KEY: %s}
"""
PAGES = [
    {
        "properties": {
            "name": {"type": "string"},
            "pin": {"type": "string", "ui:widget": "password"},
            "deep": {
                "properties": {"key": {"$ref": "#/definitions/key"}},
            },
        },
        "definitions": {"key": {"type": "string", "ui:field": "Secret"}},
    }
]


def shown_nowhere(everything: str) -> None:
    for text in DERIVED:
        assert text not in everything


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose runs have a secret of the installation's own."""
    path = tmp_path / "environment.yaml"
    path.write_text(CONFIG % SECRET)
    return path


def flows(source: str) -> list[Any]:
    """Steps that do what authors do with the secret that `source` names."""
    return [
        say(f"plain ${{{{ {source} }}}} end", "plain"),
        say(f"up ${{{{ {source} | upper }}}} end"),
        say(f"back ${{{{ {source} | reverse }}}} end"),
        say(f"part ${{{{ {source}.slice(2, 14) }}}} end"),
        say(f"json ${{{{ {{a: [{source}]}} | dump }}}} end"),
        say(f"one by one {{% for c in {source} %}}${{{{ c }}}},{{% endfor %}} end"),
        say(
            "round ${{ each.value.k | upper }} of ${{ each.value.n }}",
            "rounds",
            each=[{"n": "first", "k": f"${{{{ {source} }}}}"}],
        ),
        step(
            "catalog:write",
            "write",
            entity={"k": f"${{{{ {source} }}}}", "l": f"${{{{ {source} | lower }}}}"},
        ),
        step("debug:log", "list", listWorkspace="with-contents"),
        step("fs:delete", "boom", files=[f"/${{{{ {source} | reverse }}}}"]),
    ]


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("secrets.key", {"secrets": {"key": SECRET}}),
        ("environment.secrets.SIGNING_KEY", {}),
        ("parameters.pin", {"values": {"pin": SECRET}}),
        ("parameters.deep.key", {"values": {"deep": {"key": SECRET}}}),
    ],
)
async def test_nothing_made_of_a_secret_is_seen(
    start: Any, catalog: Any, ann: Any, mongodb: str, kafka: str, config: Path,
    source: str, more: Any,
) -> None:  # fmt: skip
    """Not in log, stream, answers, events or documents, whatever is made of it."""
    made = template(
        "t", steps=flows(source), parameters=PAGES, output={"x": f"${{{{ {source} }}}}"}
    )
    catalog.add(made)
    heard: list[Any] = []

    async def hear(records: Any) -> None:
        heard.extend(record.envelope() for record in records)

    reader = LiveReader(kafka, [TEMPLATE_RUN], hear)
    async with start(config=config) as client, reader:
        await reader.reading.wait()
        task_id = await create(client, ann, "t", **more)
        found = await reached(client, ann, task_id)
        told = await messages(client, ann, task_id)
        stream = await client.get(f"/v2/tasks/{task_id}/eventstream", headers=ann)
        await until(
            lambda: any(
                e.subject == task_id and e.data["status"] == "failed" for e in heard
            ),
            seconds=30,
        )
        mongo = connect(mongodb)
        stored = mongo["callboard_scaffolder"]
        kept = await stored["tasks"].find({}).to_list(None)
        lines = await stored["events"].find({}).to_list(None)
        mongo.close()
    assert found["status"] == "failed", told
    assert "plain *** end" in told
    assert "up *** end" in told
    assert "round *** of first" in told
    assert any(line.startswith("one by one *") for line in told)
    said = [data["body"]["message"] for _, data in frames(stream.text)]
    assert said == told
    events = [envelope.model_dump() for envelope in heard]
    shown_nowhere(f"{found}{told}{stream.text}{events}{kept}{lines}")


async def test_a_run_that_ends_well_shows_nothing_either(
    start: Any, catalog: Any, ann: Any, config: Path
) -> None:
    """Its output is rendered from what people may see."""
    steps = flows("secrets.key")[:-1]
    steps.append(step("fs:readdir", "read", paths=["."]))
    output = {"a": "${{ secrets.key }}", "b": "${{ parameters.pin | upper }}"}
    catalog.add(template("t", steps=steps, parameters=PAGES, output=output))
    given = {"secrets": {"key": SECRET}, "values": {"pin": SECRET, "name": "web"}}
    async with start(config=config) as client:
        task_id = await create(client, ann, "t", **given)
        found = await reached(client, ann, task_id)
        told = await client.get(f"/v2/tasks/{task_id}/events", headers=ann)
    assert found["status"] == "completed"
    assert found["spec"]["parameters"] == {"pin": "***", "name": "web"}
    assert told.json()[-1]["body"]["output"] == {"b": "***"}
    shown_nowhere(f"{found}{told.text}")


async def test_a_run_works_with_the_real_answers(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Conditions and files have the value; a second try has it still."""
    steps = [
        say("it is right", "s", **{"if": f"${{{{ parameters.pin === '{SECRET}' }}}}"}),
        step("fs:delete", "boom", files=["/outside"]),
    ]
    catalog.add(template("t", steps=steps, parameters=PAGES))
    async with start() as client:
        task_id = await create(client, ann, "t", values={"pin": SECRET})
        await reached(client, ann, task_id)
        await client.post(f"/v2/tasks/{task_id}/retry", headers=ann)
        await reached(client, ann, task_id)
        told = await messages(client, ann, task_id)
        steps_told = [line for line in told if line == "it is right"]
        client.app.state.rooms.scenes.workspace(task_id).remove()
        await client.post(f"/v2/tasks/{task_id}/retry", headers=ann)
        await reached(client, ann, task_id)
        again = await messages(client, ann, task_id)
    assert len(steps_told) == 1
    assert again.count("it is right") == 2


async def test_a_dry_run_has_stand_ins_for_all_secrets(
    start: Any, catalog: Any, ann: Any, config: Path
) -> None:
    """Files, log and output of a dry run are made of `***`, whatever is done to it."""
    sources = {
        "environment.secrets.SIGNING_KEY": "a",
        "secrets.key": "b",
        "parameters.pin": "c",
    }
    for source, name in sources.items():
        steps = flows(source)[:-1]
        skeleton = f"{{% for c in values.k %}}${{{{ c }}}}{{% endfor %}} {name}"
        steps.insert(
            0,
            step(
                "fetch:template",
                "fetch",
                url="./s",
                values={"k": f"${{{{ {source} }}}}"},
            ),
        )
        encoded = base64.b64encode(skeleton.encode()).decode()
        body = {
            "template": template("t", steps=steps, parameters=PAGES),
            "values": {"pin": SECRET},
            "secrets": {"key": SECRET},
            "directoryContents": [{"path": "s/a", "base64Content": encoded}],
        }
        async with start(config=config) as client:
            answer = await client.post("/v2/dry-run", json=body, headers=ann)
        assert answer.status_code == 200, answer.text
        files = [
            base64.b64decode(file["base64Content"]).decode()
            for file in answer.json()["directoryContents"]
        ]
        assert f"*** {name}" in files
        shown_nowhere(answer.text + "".join(files))


@pytest.mark.parametrize("path", ["/v2/tasks", "/v2/dry-run"])
async def test_a_refused_answer_is_not_repeated(
    start: Any, catalog: Any, ann: Any, path: str
) -> None:
    """What is wrong with a secret answer is told without it."""
    page = {
        "properties": {
            "pin": {"type": "string", "ui:field": "Secret", "maxLength": 4},
            "pins": {
                "type": "array",
                "items": {"ui:widget": "password", "format": "x"},
            },
        },
        "additionalProperties": False,
    }
    made = template("t", parameters=[page])
    catalog.add(made)
    values = {"pin": SECRET, "pins": [SECRET]}
    own: Any = {"templateRef": "template:default/t", "values": values}
    if path == "/v2/dry-run":
        own = {"template": made, "values": values, "directoryContents": []}
    async with start() as client:
        answer = await client.post(path, json=own, headers=ann)
    assert answer.status_code == 400
    assert "maximum length" in answer.text
    shown_nowhere(answer.text)


def test_secret_answers_are_found_wherever_they_are_asked() -> None:
    """In objects, lists, branches and behind links, by either hint."""
    page = {
        "properties": {
            "a": {"ui:field": "Secret"},
            "b": {"items": {"ui:options": {"widget": "password"}}},
            "c": {"properties": {"d": {"ui:widget": "password"}}},
            "e": {"type": "string"},
        },
        "dependencies": {
            "e": {"oneOf": [{"properties": {"f": {"ui:field": "Secret"}}}]}
        },
    }
    names = secret_names([page, *PAGES])
    assert names == {"a", "b", "d", "f", "pin", "key"}
    given: Any = {"a": "x1", "b": ["y"], "c": {"d": 5}, "e": "z", "f": "****"}
    assert masked(given, names) == {
        "a": "***",
        "b": "***",
        "c": {"d": "***"},
        "e": "z",
        "f": "****",
    }


def test_what_was_learned_outlives_the_process() -> None:
    """Who goes on with a run knows what was made of its secrets; it is kept sealed."""
    vault = FernetVault("house")
    spec = {"steps": [{"id": "a", "name": "a"}], "parameters": {}}
    task = Task("1", spec, Initiator("user:default/ann"), steps=fresh_steps(spec))
    task.is_confidential = True
    first = Redactor([SECRET])
    first.learn("x-" + SECRET[3:9] + "-y", "x-***-y")
    task.learned = first.learned
    document = documents.written(task, vault)
    assert SECRET[3:9] not in str(document)
    second = Redactor()
    second.recall(documents.read(document, vault).learned)
    assert second.text(f"got x-{SECRET[3:9]}-y") == "got x-***-y"


def test_files_teach_what_they_make_of_secrets() -> None:
    """A file's line with a part of a secret is known when it is read again."""
    redactor = Redactor([SECRET])
    public = {"values": {"k": "***"}}
    dialect = LearningDialect(Dialect(), public, redactor)
    text = "first\nkey: ${{ values.k[3] ~ values.k.slice(4, 7) }}\nlast ${{ values.k }}"
    made = dialect.text(text, {"values": {"k": SECRET}})
    assert SECRET[3:7] in made
    assert SECRET[3:7] not in redactor.text(f"Workspace:\n{made}")


PIPES = st.lists(
    st.sampled_from(
        [
            "upper", "lower", "reverse", "title", "capitalize", "trim", "dump",
            "urlencode", "escape", "length", "list", "first", "last", "join('-')",
            "center(40)", "replace('o', 'u')", "truncate(9)", "wordcount", "string",
            "batch(3)", "int", "float", "indent(2)", "striptags", "urlize", "random",
            "sort", "groupby('a')", "default('none')", "pick('a')", "parseEntityRef",
        ]
    ),
    max_size=4,
)  # fmt: skip
SHAPES = st.sampled_from(
    [
        "${{ %s }}",
        "say ${{ %s }} now",
        "{%% if %s %%}yes{%% else %%}no{%% endif %%}",
        "{%% for c in (%s) | string %%}${{ c }} {%% endfor %%}",
        "{%% set x = %s %%}${{ [x, {y: x}] | dump }}",
        "${{ ('a' if (%s) == 'x' else 'b') ~ (%s) }}",
    ]
)
DIALECT = Dialect({found.name: found.run for found in template_filters()})


@settings(max_examples=300, deadline=None)
@given(pipes=PIPES, shape=SHAPES, one=st.text(min_size=1), other=st.text(min_size=1))
def test_what_people_see_does_not_depend_on_the_secret(
    pipes: list[str], shape: str, one: str, other: str
) -> None:
    """Two runs that differ in a secret alone look the same, whatever the template."""
    source = shape.replace("%s", " | ".join(["secrets.key", *pipes]))
    source = source.replace("%%", "%")
    public = {"secrets": {"key": "***"}}
    seen = []
    for secret in (one, other):
        redactor = Redactor([secret])
        context = Twins({"secrets": {"key": secret}}, public)
        made = rendered(DIALECT, {"m": source}, context, redactor)
        seen.append(made.public)
    assert seen[0] == seen[1]


async def test_secrets_are_counted(start: Any, catalog: Any, ann: Any) -> None:
    """Each is looked for in every line: so many are refused before a run has them."""
    fields = {"keys": {"type": "array", "ui:field": "Secret"}}
    form = [{"title": "P", "properties": fields}]
    catalog.add(template("t", parameters=form))
    many = {f"k{number}": f"secret-{number}" for number in range(101)}
    texts = [f"answer-{number}" for number in range(1_001)]
    ref = {"templateRef": "template:default/t"}
    trial = {"template": template("t"), "values": {}, "directoryContents": []}
    async with start(slots=0) as client:
        refused = [
            await client.post(path, json=body, headers=ann)
            for path, body in (
                ("/v2/tasks", {**ref, "values": {}, "secrets": many}),
                ("/v2/dry-run", {**trial, "secrets": many}),
                ("/v2/tasks", {**ref, "values": {"keys": texts}}),
            )
        ]
        await create(client, ann, "t", values={"keys": texts[:1_000]})
    assert [answer.status_code for answer in refused] == [400] * 3
    told = [answer.json()["error"]["message"] for answer in refused]
    assert told[:2] == ["secrets: over the limit of 100"] * 2
    assert told[2] == "values: at most 1000 texts may be secret answers"


@pytest.mark.parametrize(
    "piece", ["secrets.key[each.value]", "secrets.key.slice(0, 2)"]
)
async def test_pieces_of_a_secret_are_in_no_message_of_an_action(
    start: Any, catalog: Any, ann: Any, piece: str
) -> None:
    """Neither where it works nor where it fails; a text that is known is shown."""
    files = [f"${{{{ '' + {piece} }}}}*", f"drafts/${{{{ {piece} }}}}"]
    rounds = f"${{{{ range({len(WORD)}) }}}}"
    steps = [
        step("fs:delete", "gone", each=rounds, files=files),
        say(f"one ${{{{ {piece} }}}}", "known", each=[1]),
        step("fs:rename", "boom", each=[0],
             files=[{"from": f"${{{{ '' + {piece} }}}}", "to": "x/../../.."}]),
    ]  # fmt: skip
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t", secrets={"key": WORD})
        ended = await reached(client, ann, task_id)
        lines = await messages(client, ann, task_id)
    assert ended["status"] == "failed"
    assert lines.count("***") == 2 * len(WORD)
    assert any(line.startswith("one *") for line in lines)
    assert [line for line in lines if "pieces of secrets" in line]
    for letter in ("'G", " G", "Gl", "/G", "matches"):
        assert not [line for line in lines if letter in line]
