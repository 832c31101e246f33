"""Every event type and its payload model, for consumers, schemas and documentation."""

from pydantic import ValidationError

from shared.contracts import catalog, gateway, scaffolder, techdocs
from shared.contracts.envelope import Envelope, Payload
from shared.contracts.errors import Invalid

PAYLOADS: dict[str, type[Payload]] = {
    model.TYPE: model
    for model in (
        catalog.EntityCreated,
        catalog.EntityUpdated,
        catalog.EntityDeleted,
        techdocs.SiteBuilt,
        techdocs.SiteFailed,
        scaffolder.RunCreated,
        scaffolder.RunStarted,
        scaffolder.StepChanged,
        scaffolder.RunCompleted,
        scaffolder.RunFailed,
        scaffolder.RunCancelled,
        gateway.RepositoryPushed,
    )
}


def payload_of(envelope: Envelope) -> Payload:
    """The typed payload of an event.

    Raises:
        Invalid: if the type is unknown or the data breaks the model.
    """
    model = PAYLOADS.get(envelope.type)
    if model is None:
        raise Invalid(f"type: unknown event type {envelope.type!r}")
    try:
        return model.model_validate(envelope.data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in ("data", *first["loc"]))
        raise Invalid(f"{field}: {first['msg']}") from error
