"""What is counted of a running portal, and who sees it."""

from typing import Any

import pytest

from tests.e2e.conftest import Open
from tests.e2e.restricted import Secret
from tests.e2e.running import ANN, BEN, DEV, GUEST, HUGO, Portal, eventually, push
from tests.e2e.system import WorkingCopy


def figure(system: Portal, name: str, who: str) -> dict[str, Any]:
    """A figure of the last day, as somebody sees it."""
    figures: dict[str, Any] = system.get(f"/api/analytics/{name}", who, period="24h")
    return figures


def names(system: Portal, name: str, who: str) -> set[str]:
    return {group["name"] for group in figure(system, name, who)["groups"]}


def test_counts_of_restricted_entities_are_for_their_owners(
    system: Portal, secret: Secret
) -> None:
    """Its repository, documentation and changes are not counted for others."""
    repository = f"git.playhouse.example/{secret.name}"
    push(secret.copy, {"catalog-info.yaml": secret.says("soon")}, "Say when")
    for who in (HUGO, DEV):
        eventually(
            lambda w=who: repository in names(system, "pushes", w), f"{who}: push"
        )
        eventually(
            lambda w=who: secret.ref in names(system, "docs-builds", w), f"{who}: docs"
        )
    owner = "group:default/corporate-development"
    eventually(lambda: owner in names(system, "changes", HUGO), "the change counts")
    for who in (ANN, GUEST):
        assert repository not in names(system, "pushes", who)
        assert secret.ref not in names(system, "docs-builds", who)
        assert owner not in names(system, "changes", who)
    for name in ("pushes", "docs-builds", "changes"):
        all_of_it, visible_to_ann = figure(system, name, DEV), figure(system, name, ANN)
        assert sum(all_of_it["totals"].values()) > sum(
            visible_to_ann["totals"].values()
        )


def test_the_example_counts_as_imported(system: Portal) -> None:
    """The first reading of a location is no change by a person."""
    eventually(
        lambda: figure(system, "changes", DEV)["totals"]["imported"] > 50, "imported"
    )


def test_an_unknown_period_is_refused(system: Portal) -> None:
    """The error names the field and the choices."""
    answer = system.as_(BEN).get("/api/analytics/runs", params={"period": "5y"})
    assert answer.status_code == 400
    assert "period must be 24h, 48h, 7d" in answer.json()["error"]["message"]


@pytest.mark.browser
def test_a_push_appears_in_the_insights(system: Portal, opened: Open) -> None:
    """Home has the week's totals; Insights has a bar and a row for the push."""
    copy = WorkingCopy(system.data / "workshop" / "payments")
    push(copy, {"NOTES.md": "Insights count this.\n"}, "Take a note")
    repository = "git.playhouse.example/payments"
    eventually(lambda: repository in names(system, "pushes", BEN), "the push counts")
    page = opened("/", who=BEN)
    page.get_by_role("link", name="Insights", exact=True).last.wait_for()
    page.locator("#week").get_by_role("link", name="push").click()
    page.wait_for_url("**/insights#pushes")
    page.get_by_role("link", name=repository).wait_for()
    assert page.locator("#pushes svg rect.series-pushed").count() >= 1
