"""Dead letters: messages that a consumer could not handle, with the reason."""

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from shared.contracts.envelope import to_bytes
from shared.contracts.errors import CallboardError, Invalid

#: The length of the readable preview; the whole message is stored beside it.
PREVIEW_BYTES = 4 * 1024
#: A larger message is not stored: with its envelope it would exceed the topic's limit.
STORED_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that could not be handled."""

    id: str
    topic: str
    key: str
    consumer: str
    error: str
    message: str
    tried: int
    size: int
    #: None if it was too large to be stored.
    value: bytes | None

    @classmethod
    def of(
        cls,
        topic: str,
        key: str,
        consumer: str,
        value: bytes,
        error: Exception,
        tried: int,
    ) -> "DeadLetter":
        """A new dead letter."""
        name = error.name if isinstance(error, CallboardError) else type(error).__name__
        stored_value = value if len(value) <= STORED_BYTES else None
        message, size = str(error)[:1000], len(value)
        id = uuid.uuid4().hex  # noqa: A001
        return cls(id, topic, key, consumer, name, message, tried, size, stored_value)

    def to_bytes(self) -> bytes:
        """The message of the dead letters' topic."""
        preview = (self.value or b"")[:PREVIEW_BYTES].decode("utf-8", "replace")
        document = {
            "id": self.id,
            "topic": self.topic,
            "key": self.key,
            "consumer": self.consumer,
            "error": {"name": self.error, "message": self.message},
            "tried": self.tried,
            "size": self.size,
            "value": preview,
        }
        if self.value is not None:
            document["base64"] = base64.b64encode(self.value).decode()
        return to_bytes(document)

    @classmethod
    def parse(cls, raw: bytes) -> "DeadLetter":
        """Read a message of the dead letters' topic.

        Raises:
            Invalid: if it is no dead letter.
        """
        try:
            document: Mapping[str, Any] = orjson.loads(raw)
            encoded = document.get("base64")
            return cls(
                id=str(document["id"]),
                topic=str(document["topic"]),
                key=str(document["key"]),
                consumer=str(document["consumer"]),
                error=str(document["error"]["name"]),
                message=str(document["error"]["message"]),
                tried=int(document["tried"]),
                size=int(document["size"]),
                value=base64.b64decode(encoded, validate=True)
                if encoded is not None
                else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Invalid(f"no dead letter: {error!r}") from error


def put_back(id: str) -> bytes:  # noqa: A002
    """The mark that the dead letter with this id was put back."""
    return to_bytes({"putBack": id})


def put_back_id(raw: bytes) -> str | None:
    """The id of the dead letter in a mark; None if the message is no mark."""
    try:
        document = orjson.loads(raw)
    except ValueError:
        return None
    return document.get("putBack") if isinstance(document, dict) else None
