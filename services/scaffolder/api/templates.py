"""Forms, actions and what templates may use."""

from fastapi import APIRouter
from starlette.responses import Response

from services.scaffolder.api.dependencies import Dependencies, initiator_of
from services.scaffolder.handlers.creating import load_template
from services.scaffolder.model import JsonObject
from services.scaffolder.templates import template_entity
from services.scaffolder.templates.filters import template_filters
from shared.contracts.errors import Invalid
from shared.kit.http.apps import Caller, json_response
from shared.kit.http.bodies import BoundedRoute

router = APIRouter(route_class=BoundedRoute)


@router.get("/v2/templates/{namespace}/{kind}/{name}/parameter-schema")
async def parameter_schema(
    namespace: str, kind: str, name: str, caller: Caller, dependencies: Dependencies
) -> Response:
    """A template's form."""
    ref = f"{kind}:{namespace}/{name}"
    reader = initiator_of(caller)
    in_thread = dependencies.turns.of_requests(reader)
    template = await load_template(dependencies.catalog, ref, reader, in_thread)
    return json_response(template_entity.form(template))


@router.get("/v2/actions")
async def actions(caller: Caller, dependencies: Dependencies) -> Response:
    """Every action with its schemas and examples."""
    del caller
    return json_response([action.document() for action in dependencies.registry.all()])


@router.get("/v2/templating-extensions")
async def templating_extensions(caller: Caller) -> Response:
    """What templates may use besides the language itself."""
    del caller
    filters = {
        template_filter.name: template_filter.document()
        for template_filter in template_filters()
    }
    return json_response(
        {"filters": filters, "globals": {"functions": {}, "values": {}}}
    )


@router.post("/v2/autocomplete/{provider}/{resource}")
async def autocomplete(provider: str, resource: str, caller: Caller) -> JsonObject:
    """Suggestions from a provider; none is installed."""
    del caller, resource
    raise Invalid(f"Unsupported provider: {provider}")
