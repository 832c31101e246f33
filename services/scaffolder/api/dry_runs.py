"""Dry runs: a template is run as it stands in an editor."""

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from services.scaffolder.api.dependencies import Dependencies, initiator_of
from services.scaffolder.api.tasks import refused
from services.scaffolder.handlers import creating
from services.scaffolder.handlers.creating import BadParameters
from services.scaffolder.handlers.dry_run import Trial, dry_run
from services.scaffolder.model import Initiator, JsonObject, RunUser
from shared.contracts.entity import Entity
from shared.contracts.errors import Unavailable
from shared.kit.http.apps import Caller, json_response
from shared.kit.http.bodies import BoundedRoute
from shared.kit.http.client_watch import while_connected
from shared.kit.http.models import ClosedRequestModel, TextsByName

router = APIRouter(route_class=BoundedRoute)


class DryRun(ClosedRequestModel):
    """A template, the answers of its form, and the files beside it, as sent."""

    template: JsonObject
    values: JsonObject
    secrets: TextsByName = Field(default_factory=dict)
    directory_contents: list[JsonObject] = Field(fail_fast=True)


@router.post("/v2/dry-run")
async def run(
    request: Request, body: DryRun, caller: Caller, dependencies: Dependencies
) -> Response:
    """Run the template dry: the log, the files and the output.

    It ends when its client hangs up.
    """
    trial = Trial(
        Entity(body.template), body.values, body.secrets, body.directory_contents
    )
    initiator = initiator_of(caller)
    try:
        user = await _user(dependencies, initiator)
        work = dry_run(
            trial,
            initiator,
            user,
            run_factory=dependencies.run_factory,
            open_dry_runs=dependencies.open_dry_runs,
            folder=dependencies.folder / "dry-runs",
        )
        result = await while_connected(request, work)
    except BadParameters as error:
        return refused(error)
    return json_response(result)


async def _user(dependencies: Dependencies, initiator: Initiator) -> RunUser:
    """The user of a dry run; without the catalog, the ref alone has to do."""
    try:
        return await creating.user_of(dependencies.catalog, initiator)
    except Unavailable:
        return {"ref": initiator.ref}
