"""Runs as documents: what is shortened for lists, renamed for the store, encrypted."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scaffolder.model import (
    Initiator,
    StepRecord,
    Task,
    TaskEvent,
    fresh_steps,
)
from services.scaffolder.secrets.vault import FernetVault
from services.scaffolder.store import documents

ANN = Initiator("user:default/ann")
VAULT = FernetVault("a service secret")
NAMES = st.text(max_size=4) | st.sampled_from(["$set", "a.b", "$", ".", "pairs"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
    ),
    max_leaves=10,
)


def spec_of(**more: Any) -> Any:
    return {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "steps": [{"id": "a", "name": "A", "action": "debug:log", "input": {"m": "x"}}],
        "output": {"links": []},
        "parameters": {"name": "web"},
        "user": {"ref": ANN.ref, "entity": {"spec": {}}},
        "templateInfo": {
            "entityRef": "template:default/t",
            "baseUrl": "https://h/t.yaml",
            "entity": {
                "metadata": {
                    "name": "t",
                    "title": "T",
                    "namespace": "default",
                    "uid": "1",
                }
            },
        },
        **more,
    }


def task_of(spec: Any) -> Task:
    return Task("t1", spec, ANN, steps=fresh_steps(spec))


def test_a_short_spec_is_listed_as_it_is() -> None:
    """It is not stored a second time."""
    spec = spec_of()
    assert documents.brief_spec(spec) is spec
    assert documents.written(task_of(spec), VAULT)["brief"] is None


def test_a_long_spec_is_listed_without_answers_and_inputs() -> None:
    """What a list shows stays: steps, template and user."""
    spec = spec_of(parameters={"text": "x" * documents.LISTED_BYTES})
    assert documents.brief_spec(spec) == {
        "apiVersion": spec["apiVersion"],
        "steps": [{"id": "a", "name": "A", "action": "debug:log"}],
        "output": {},
        "parameters": {},
        "user": {"ref": ANN.ref},
        "templateInfo": {
            "entityRef": "template:default/t",
            "baseUrl": "https://h/t.yaml",
            "entity": {"metadata": {"namespace": "default", "name": "t", "title": "T"}},
        },
    }


def test_a_long_spec_of_a_program_has_no_user() -> None:
    """Neither in the list nor in the run."""
    spec = spec_of(user={}, parameters={"text": "x" * documents.LISTED_BYTES})
    assert documents.brief_spec(spec)["user"] == {}


def test_many_steps_and_long_names_are_cut_in_lists() -> None:
    """A list of a thousand runs stays small."""
    step = {"id": "i" * 500, "name": "n" * 500, "action": "a" * 500}
    brief = documents.brief_spec(spec_of(steps=[step] * 300))
    assert len(brief["steps"]) == 100
    assert {len(value) for value in brief["steps"][0].values()} == {200}


def test_a_listed_run_is_read_from_its_brief_spec() -> None:
    """A list shows its status, user and template, and leaves out its values."""
    task = task_of(spec_of(parameters={"text": "x" * documents.LISTED_BYTES}))
    document = documents.written(task, VAULT)
    listed = documents.listed(document, document["brief"])
    assert (listed.id, listed.created_by, listed.status) == ("t1", ANN, "open")
    assert listed.template_ref == "template:default/t"
    assert listed.spec["parameters"] == {}


@given(JSON)
def test_any_json_is_read_back_from_the_store(value: Any) -> None:
    """Also names that a document must not have."""
    event = TaskEvent(
        "t1", 1, "log", {"value": value}, datetime(2026, 1, 2, tzinfo=UTC)
    )
    stored = documents.written_event(event)
    assert documents.read_event(stored) == event
    for name in names_in(stored["body"]):
        assert not name.startswith("$")
        assert "." not in name


def names_in(value: Any) -> list[str]:
    """All names of fields within a document."""
    if isinstance(value, list):
        return [name for item in value for name in names_in(item)]
    if isinstance(value, dict):
        return [*value, *(name for item in value.values() for name in names_in(item))]
    return []


def test_outputs_of_a_confidential_run_are_encrypted() -> None:
    """With what was made of secrets, and the values that actions stored."""
    task = task_of(spec_of())
    task.is_confidential = True
    task.steps = [StepRecord("a", "A", output={"token": "hunter2"})]
    task.checkpoints = {"a.key": "hunter2"}
    task.learned = {"hunter2": "***"}
    document = documents.written(task, VAULT)
    assert "hunter2" not in str(document)
    read = documents.read(document, VAULT)
    assert (read.steps, read.checkpoints) == (task.steps, task.checkpoints)
    assert read.learned == {"hunter2": "***"}
    assert read.is_confidential


def test_outputs_of_other_runs_are_stored_as_plain_text() -> None:
    """Operators may read them; they hold no learned text."""
    task = task_of(spec_of())
    task.steps[0].output = {"url": "https://h"}
    document = documents.written(task, VAULT)
    assert document["progress"]["steps"][0]["output"] == {"url": "https://h"}
    assert "learned" not in document["progress"]


@pytest.mark.parametrize(
    "moment", [datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC), None]
)
def test_timestamps_are_stored_as_milliseconds(moment: datetime | None) -> None:
    """And come back as they were."""
    assert documents.moment(documents.stamp(moment)) == moment


def test_a_number_beyond_64_bits_is_a_float() -> None:
    """No store takes it as a whole number."""
    event = TaskEvent("t1", 1, "log", {"n": 2**70, "m": -(2**63), "o": 2**63 - 1})
    body = documents.written_event(event)["body"]
    assert body == {"n": 2.0**70, "m": -(2**63), "o": 2**63 - 1}
    assert isinstance(body["n"], float)
    assert isinstance(body["m"], int)
