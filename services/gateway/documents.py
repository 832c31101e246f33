"""The published contracts: AsyncAPI 3 of the topics, JSON Schemas of the payloads.

They are generated from the models in `shared.contracts`.
"""

from collections.abc import Mapping
from typing import Any

from shared.contracts.envelope import Envelope, Payload
from shared.contracts.errors import NotFound
from shared.contracts.events import PAYLOADS

VERSION = "1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLES = {
    "entity-changed": "An entity was created, updated or deleted; key: entity ref",
    "docs-built": "A documentation site was built, or failed to; key: entity ref",
    "template-run": "A template's run began, went on or ended; key: task id",
    "git-push": "Somebody pushed to a repository; key: host/repository",
}


def schema(event_type: str) -> dict[str, Any]:
    """The JSON Schema of a whole event: the envelope with this type's payload.

    Raises:
        NotFound: if no service publishes events of this type.
    """
    model = PAYLOADS.get(event_type)
    if model is None:
        raise NotFound(f"No event of type {event_type!r} is known")
    return {"$schema": DIALECT, **_event(event_type, model)}


def schema_types() -> list[str]:
    """Every event type, sorted."""
    return sorted(PAYLOADS)


def asyncapi(brokers: Mapping[str, str]) -> dict[str, Any]:
    """The AsyncAPI 3.0 document; `brokers` maps a server's name to its address."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Callboard events",
            "version": VERSION,
            "description": "CloudEvents 1.0 in structured JSON mode over Kafka. "
            "Consumers ignore fields that they do not know.",
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {
            name: {"host": address, "protocol": "kafka"}
            for name, address in brokers.items()
        },
        "channels": {topic: _channel(topic) for topic in TITLES},
        "operations": {
            f"receive-{topic}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{topic}"},
            }
            for topic in TITLES
        },
        "components": {
            "messages": {name: _message(name, PAYLOADS[name]) for name in PAYLOADS}
        },
    }


def _channel(topic: str) -> dict[str, Any]:
    return {
        "address": topic,
        "description": TITLES[topic],
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"}
            for name, model in PAYLOADS.items()
            if topic == model.TOPIC
        },
    }


def _message(name: str, model: type[Payload]) -> dict[str, Any]:
    return {
        "name": name,
        "title": model.__name__,
        "summary": " ".join((model.__doc__ or "").split()),
        "contentType": "application/cloudevents+json",
        "payload": _event(name, model),
    }


def _event(name: str, model: type[Payload]) -> dict[str, Any]:
    envelope = Envelope.model_json_schema(mode="serialization")
    data = _inlined(model.model_json_schema(mode="serialization"))
    properties = {
        **envelope["properties"],
        "type": {"const": name},
        "data": data,
    }
    required = ["specversion", "id", "source", "type", "subject", "time", "data"]
    return {"type": "object", "properties": properties, "required": required}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with each `$ref` replaced by its definition."""
    definitions = schema.pop("$defs", {})

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            ref = value.get("$ref")
            if isinstance(ref, str):
                return walk(definitions[ref.rsplit("/", 1)[-1]])
            return {key: walk(item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    inlined: dict[str, Any] = walk(schema)
    return inlined
