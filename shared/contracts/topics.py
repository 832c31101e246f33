"""The topics of the event log, and the names of their dead letter topics."""

ENTITY_CHANGED = "entity-changed"
DOCS_BUILT = "docs-built"
TEMPLATE_RUN = "template-run"
GIT_PUSH = "git-push"

TOPICS = (ENTITY_CHANGED, DOCS_BUILT, TEMPLATE_RUN, GIT_PUSH)
#: What Faust keeps its tables in; nobody else reads them.
CHANGELOGS = ("analytics-hours-changelog", "analytics-days-changelog")


def dead(topic: str) -> str:
    """The dead letter topic of `topic`."""
    return f"{topic}.dead"
