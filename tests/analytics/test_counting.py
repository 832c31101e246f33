"""What each event counts for."""

import pytest

from services.analytics.counting import occurrence_of, occurrence_on
from services.analytics.visibility import ChangeKey
from shared.contracts.errors import Invalid
from shared.contracts.topics import GIT_PUSH, TEMPLATE_RUN
from tests.analytics.events import build, change, push, run


@pytest.mark.parametrize(
    ("how", "cause", "outcome"),
    [
        ("updated", "push", "updated"),
        ("updated", "scan", "updated"),
        ("deleted", "delete", "deleted"),
        ("created", "push", "created"),
        ("created", "template-run", "created"),
        ("created", "registration", "imported"),
        ("created", "config", "imported"),
        ("created", "scan", "imported"),
        ("created", "refresh", "imported"),
    ],
)
def test_an_imported_entity_counts_as_no_change(
    how: str, cause: str, outcome: str
) -> None:
    """An entity counts as created where a push or run of a person created it."""
    occurrence = occurrence_of(change(how, cause=cause))
    assert occurrence is not None
    assert (occurrence.figure, occurrence.outcome) == ("changes", outcome)


def test_a_change_is_counted_for_its_owner_and_visibility() -> None:
    """The key has the owner of the entity, and whether it is restricted."""
    restricted = change("updated", owner="User:Ann", visibility="Restricted")
    occurrence = occurrence_of(restricted)
    assert occurrence is not None
    key = ChangeKey.parse(occurrence.key)
    assert key == ChangeKey(("user:default/ann",), "restricted")


def test_a_deleted_entity_counts_for_its_last_owner() -> None:
    """The event of a deletion has the entity's last state."""
    occurrence = occurrence_of(change("deleted", owner="group:default/ushers"))
    assert occurrence is not None
    assert ChangeKey.parse(occurrence.key).owners == ("group:default/ushers",)


def test_a_push_of_many_branches_counts_once() -> None:
    """Each branch has an event of its own, with the delivery's id."""
    event = push("ushers/web")
    ids = [f"{event.data['provider']}-{event.data['delivery']}-{n}" for n in range(12)]
    counted = [occurrence_of(event.model_copy(update={"id": text})) for text in ids]
    assert [occurrence is not None for occurrence in counted] == [True] + [False] * 11


def test_runs_and_builds_count_by_their_outcome() -> None:
    """The final status of a run or a build is its outcome."""
    events = [run(), run(fails=True), build(), build(fails=True), push("Ushers/Web")]
    occurrences = [occurrence_of(event) for event in events]
    assert [(o.figure, o.key, o.outcome) for o in occurrences if o is not None] == [
        ("runs", "template:default/service", "completed"),
        ("runs", "template:default/service", "failed"),
        ("docs-builds", "component:default/web", "built"),
        ("docs-builds", "component:default/web", "failed"),
        ("pushes", "git.example.com/Ushers/Web", "pushed"),
    ]


def test_an_event_of_another_type_counts_for_nothing() -> None:
    """A type that is added later does no harm."""
    event = run().model_copy(update={"type": "callboard.run.waiting.v1"})
    assert occurrence_of(event) is None


def test_an_event_without_its_key_field_is_refused() -> None:
    """The error names the field."""
    event = run().model_copy(update={"data": {}})
    with pytest.raises(Invalid, match=r"data\.template_ref"):
        occurrence_of(event)


def test_an_event_on_another_topic_is_refused() -> None:
    """It would be counted among outcomes of another figure."""
    assert occurrence_on(TEMPLATE_RUN, run()) is not None
    with pytest.raises(Invalid, match="does not belong on git-push"):
        occurrence_on(GIT_PUSH, run())
