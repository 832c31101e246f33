"""What the routes reach from the application, and who is asking."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from services.scaffolder.actions.registry import Registry
from services.scaffolder.model import Initiator
from services.scaffolder.ports import TaskStore, TemplateCatalog, Vault
from services.scaffolder.runs.factory import RunFactory
from services.scaffolder.runs.pool import Pool
from services.scaffolder.runs.signals import Signals
from shared.kit.http.conditions import Criteria
from shared.kit.http.service_tokens import Principal


@dataclass(frozen=True, slots=True)
class ScaffolderDependencies:
    """What the scaffolder's routes use."""

    catalog: TemplateCatalog
    store: TaskStore
    vault: Vault
    pool: Pool
    registry: Registry
    scenes: RunFactory
    signals: Signals
    folder: Path


def dependencies(request: Request) -> ScaffolderDependencies:
    """The dependencies of the app that serves this request."""
    found: ScaffolderDependencies = request.app.state.dependencies
    return found


Open = Annotated[ScaffolderDependencies, Depends(dependencies)]


def initiator(principal: Principal) -> Initiator:
    """Whom a run acts for when this caller starts it."""
    return Initiator(principal.subject, not principal.is_service)


def creators(principal: Principal) -> tuple[str, ...] | None:
    """Whose runs the caller may see; None means everybody's.

    The policy's conditions on `scaffolder-task` know one rule, IS_TASK_OWNER.
    """
    if principal.decision != "conditional" or principal.conditions is None:
        return None
    found = _creators(principal.conditions)
    return None if found is None else tuple(sorted(found))


def _creators(criteria: Criteria) -> frozenset[str] | None:
    """The creators that satisfy the criteria; what is not understood allows nobody."""
    if "anyOf" in criteria:
        found = [_creators(part) for part in criteria["anyOf"]]
        if any(part is None for part in found):
            return None
        return frozenset().union(*(part for part in found if part is not None))
    if "allOf" in criteria:
        limits = [
            part for part in map(_creators, criteria["allOf"]) if part is not None
        ]
        return frozenset.intersection(*limits) if limits else None
    if criteria.get("rule") == "IS_TASK_OWNER":
        return frozenset((criteria.get("params") or {}).get("createdBy") or ())
    return frozenset()
