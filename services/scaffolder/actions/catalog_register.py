"""`catalog:register`: makes a descriptor's URL a location of the catalog."""

from collections.abc import Sequence
from urllib.parse import parse_qs, quote

from services.scaffolder.actions.action import (
    Action,
    ActionContext,
    flag,
    members,
    step,
    text,
)
from services.scaffolder.model import JsonObject
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, Conflict, Invalid
from shared.guards.addresses import require_no_password, split_address

_PATH = "/catalog-info.yaml"


async def _run(context: ActionContext) -> None:
    url = _url(context.input)
    # Before the log repeats it.
    require_no_password(url, "catalogInfoUrl")
    context.log(f"Registering {url} in the catalog")
    context.output("catalogInfoUrl", url)
    try:
        entities = await _register(context, url)
    except CallboardError as error:
        if not context.input.get("optional"):
            raise
        context.log(f"It is optional, and could not be registered: {error.message}")
        return
    chosen = _chosen(entities)
    if chosen is not None:
        context.output("entityRef", str(chosen.ref))


async def _register(context: ActionContext, url: str) -> Sequence[Entity]:
    """Registers a location, and returns the entities that it brings.

    The catalog names them in a dry run alone, as Backstage's does.
    """
    catalog, initiator = context.tools.catalog, context.initiator
    if context.is_dry_run:
        return await catalog.register(url, initiator, dry_run=True)
    try:
        await catalog.register(url, initiator)
    except Conflict:
        # The URL is a location, which is the aim, whoever registered it.
        context.log("The location is registered already")
    try:
        return await catalog.register(url, initiator, dry_run=True)
    except CallboardError as error:
        context.log(f"It is registered; its entities are not known: {error.message}")
        return ()


def _url(values: JsonObject) -> str:
    if values.get("catalogInfoUrl"):
        return str(values["catalogInfoUrl"])
    root = str(values["repoContentsUrl"]).rstrip("/")
    path = str(values.get("catalogInfoPath") or _PATH)
    if ".." in path.split("/"):
        raise Invalid(f"catalogInfoPath: {path!r} leads outside the repository")
    return _below(root, path.lstrip("/"))


def _below(root: str, path: str) -> str:
    """The address of a file below a page of files, at the same branch."""
    parts = split_address(root, "repoContentsUrl")
    if "/_git/" in parts.path:
        # Azure DevOps: the path is an argument.
        arguments = parse_qs(parts.query)
        folder = arguments.pop("path", [""])[0].strip("/")
        whole = f"/{folder}/{path}" if folder else f"/{path}"
        rest = [f"{name}={quote(values[0])}" for name, values in arguments.items()]
        query = "&".join([f"path={quote(whole)}", *rest])
        return parts._replace(query=query, fragment="").geturl()
    place = f"{parts.path.rstrip('/')}/{path}"
    return parts._replace(path=place, fragment="").geturl()


def _chosen(entities: Sequence[Entity]) -> Entity | None:
    """The entity to show: a component if there is one, else the first."""
    candidates = [entity for entity in entities if entity.kind != "Location"]
    components = [entity for entity in candidates if entity.kind == "Component"]
    return next(iter([*components, *candidates]), None)


_OPTIONAL = flag("Whether it may fail; false by default.")
ACTION = Action(
    id="catalog:register",
    description="Registers a descriptor's URL as a location of the catalog.",
    run=_run,
    input={
        "anyOf": [
            members(
                {
                    "catalogInfoUrl": text("The descriptor's absolute URL."),
                    "optional": _OPTIONAL,
                },
                required=["catalogInfoUrl"],
            ),
            members(
                {
                    "repoContentsUrl": text("The URL of the repository's files."),
                    "catalogInfoPath": text(
                        f"The descriptor's path among them, {_PATH} by default."
                    ),
                    "optional": _OPTIONAL,
                },
                required=["repoContentsUrl"],
            ),
        ]
    },
    output=members(
        {
            "entityRef": text("The ref of what was registered."),
            "catalogInfoUrl": text("The location's URL."),
        },
        required=["catalogInfoUrl"],
    ),
    examples=[
        step(
            "catalog:register",
            "Register what was published",
            "repoContentsUrl: ${{ steps['publish'].output.repoContentsUrl }}",
        )
    ],
)
