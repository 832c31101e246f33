"""What the routes get from the application, and the rights of their caller."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, Request

from services.scaffolder.actions.registry import Registry
from services.scaffolder.handlers.open_dry_runs import OpenDryRuns
from services.scaffolder.model import Initiator
from services.scaffolder.ports import TaskStore, TemplateCatalog, Vault
from services.scaffolder.runs.creator_turns import CreatorTurns
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
    run_factory: RunFactory
    signals: Signals
    turns: CreatorTurns
    open_dry_runs: OpenDryRuns
    folder: Path


async def dependencies(request: Request) -> ScaffolderDependencies:
    """The dependencies of the app that serves this request."""
    return cast("ScaffolderDependencies", request.app.state.dependencies)


Dependencies = Annotated[ScaffolderDependencies, Depends(dependencies)]


def initiator_of(principal: Principal) -> Initiator:
    """The initiator of runs that this caller starts."""
    return Initiator(principal.subject, not principal.is_service)


def creators(principal: Principal) -> tuple[str, ...] | None:
    """The creators whose runs the caller may see; None means all.

    The policy's conditions on `scaffolder-task` know one rule, IS_TASK_OWNER.
    """
    if principal.decision != "conditional" or principal.conditions is None:
        return None
    refs = _creators(principal.conditions)
    return None if refs is None else tuple(sorted(refs))


def _creators(criteria: Criteria) -> frozenset[str] | None:
    """The creators that meet the criteria, None for all; an unknown rule: none."""
    if "anyOf" in criteria:
        parts = [_creators(part) for part in criteria["anyOf"]]
        if any(part is None for part in parts):
            return None
        return frozenset().union(*(part for part in parts if part is not None))
    if "allOf" in criteria:
        limits = [
            part for part in map(_creators, criteria["allOf"]) if part is not None
        ]
        return frozenset.intersection(*limits) if limits else None
    if criteria.get("rule") == "IS_TASK_OWNER":
        return frozenset((criteria.get("params") or {}).get("createdBy") or ())
    return frozenset()
