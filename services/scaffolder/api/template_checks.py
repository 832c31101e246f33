"""Checks of templates: mistakes that authors can correct before a run."""

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from services.scaffolder.api.dependencies import Dependencies, initiator_of
from services.scaffolder.dialect.limits import RenderingBudget
from services.scaffolder.model import JsonObject
from services.scaffolder.templates.expression_syntax import SECONDS, expression_errors
from shared.kit.http.apps import Caller, json_response
from shared.kit.http.bodies import BoundedRoute
from shared.kit.http.models import ClosedRequestModel

router = APIRouter(route_class=BoundedRoute)


class TemplateChecks(ClosedRequestModel):
    """The specs of templates; steps and output are checked."""

    specs: list[JsonObject] = Field(max_length=100)


@router.post("/v2/template-checks")
async def check_templates(
    body: TemplateChecks, caller: Caller, dependencies: Dependencies
) -> Response:
    """The expressions that cannot work, for each spec in its order."""
    in_thread = dependencies.turns.of_requests(initiator_of(caller))
    return json_response({"items": await in_thread(_checked, body.specs)})


def _checked(specs: list[JsonObject]) -> list[JsonObject]:
    budget = RenderingBudget(seconds=SECONDS)
    return [
        {
            "expressionErrors": [
                {**error._asdict(), "message": error.message}
                for error in expression_errors(spec, budget=budget)
            ]
        }
        for spec in specs
    ]
