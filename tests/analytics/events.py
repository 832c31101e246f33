"""Events of other services, as they lie in the event log."""

from datetime import UTC, datetime
from typing import Any

from shared.contracts.catalog import Cause, EntityCreated, EntityDeleted, EntityUpdated
from shared.contracts.envelope import Envelope
from shared.contracts.gateway import NO_COMMIT, RepositoryPushed
from shared.contracts.scaffolder import RunCompleted, RunFailed
from shared.contracts.techdocs import SiteBuilt, SiteFailed

CHANGES = {
    "created": EntityCreated,
    "updated": EntityUpdated,
    "deleted": EntityDeleted,
}


def entity(name: str, owner: str, *, visibility: str | None = None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if visibility is not None:
        metadata["annotations"] = {"callboard.dev/visibility": visibility}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": metadata,
        "spec": {"owner": owner},
    }


def change(
    how: str,
    name: str = "web",
    *,
    owner: str = "group:default/ushers",
    cause: str = "push",
    visibility: str | None = None,
) -> Envelope:
    ref = f"component:default/{name}"
    document = entity(name, owner, visibility=visibility)
    payload = CHANGES[how](
        entity_ref=ref,
        revision=1,
        entity=None if how == "deleted" else document,
        previous=document if how == "deleted" else None,
        actor="user:default/ann",
        cause=Cause(kind=cause),  # type: ignore[arg-type]
    )
    return Envelope.of(payload, source="/catalog", subject=ref)


def run(template: str = "template:default/service", *, fails: bool = False) -> Envelope:
    model = RunFailed if fails else RunCompleted
    payload = model(
        task_id="1",
        template_ref=template,
        created_by="user:default/ann",
        status="failed" if fails else "completed",
        sequence=3,
    )
    return Envelope.of(payload, source="/scaffolder", subject="1")


def build(ref: str = "component:default/web", *, fails: bool = False) -> Envelope:
    model = SiteFailed if fails else SiteBuilt
    payload = model(entity_ref=ref, title="Web", built_at=datetime.now(UTC))
    return Envelope.of(payload, source="/techdocs", subject=ref)


def push(repository: str = "ushers/web", host: str = "git.example.com") -> Envelope:
    payload = RepositoryPushed(
        provider="gitea",
        host=host,
        repository=repository,
        url=f"https://{host}/{repository}",
        ref="refs/heads/main",
        before=NO_COMMIT,
        after="a" * 40,
        pusher="ann",
        delivery="1",
    )
    return Envelope.of(payload, source="/gateway", subject=f"{host}/{repository}")
