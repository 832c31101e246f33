"""The topics of the event log and how their dead letters are called."""

ENTITY_CHANGED = "entity-changed"
DOCS_BUILT = "docs-built"
TEMPLATE_RUN = "template-run"
GIT_PUSH = "git-push"

TOPICS = (ENTITY_CHANGED, DOCS_BUILT, TEMPLATE_RUN, GIT_PUSH)


def dead(topic: str) -> str:
    """Where a message of `topic` goes that no consumer could handle."""
    return f"{topic}.dead"
