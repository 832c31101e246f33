"""Dead letters: what a consumer could not handle, why, and how it is put back."""

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from shared.contracts.envelope import to_bytes
from shared.contracts.errors import CallboardError, Invalid

#: What a person reads of the message; the message itself is beside it, whole.
SHOWN_BYTES = 4 * 1024
#: A larger one is not kept: with its envelope it would outgrow its own topic.
KEPT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that was put aside."""

    id: str
    topic: str
    key: str
    consumer: str
    error: str
    message: str
    tried: int
    size: int
    #: None if it was too large to be kept.
    value: bytes | None

    @classmethod
    def of(
        cls,
        topic: str,
        key: str,
        consumer: str,
        value: bytes,
        why: Exception,
        tried: int,
    ) -> "DeadLetter":
        """A new one."""
        name = why.name if isinstance(why, CallboardError) else type(why).__name__
        kept = value if len(value) <= KEPT_BYTES else None
        told, size = str(why)[:1000], len(value)
        id = uuid.uuid4().hex  # noqa: A001
        return cls(id, topic, key, consumer, name, told, tried, size, kept)

    def to_bytes(self) -> bytes:
        """As it lies in the dead letters' topic."""
        shown = (self.value or b"")[:SHOWN_BYTES].decode("utf-8", "replace")
        told = {
            "id": self.id,
            "topic": self.topic,
            "key": self.key,
            "consumer": self.consumer,
            "error": {"name": self.error, "message": self.message},
            "tried": self.tried,
            "size": self.size,
            "value": shown,
        }
        if self.value is not None:
            told["base64"] = base64.b64encode(self.value).decode()
        return to_bytes(told)

    @classmethod
    def parse(cls, raw: bytes) -> "DeadLetter":
        """Read one.

        Raises:
            Invalid: if it is none.
        """
        try:
            told: Mapping[str, Any] = orjson.loads(raw)
            kept = told.get("base64")
            return cls(
                id=str(told["id"]),
                topic=str(told["topic"]),
                key=str(told["key"]),
                consumer=str(told["consumer"]),
                error=str(told["error"]["name"]),
                message=str(told["error"]["message"]),
                tried=int(told["tried"]),
                size=int(told["size"]),
                value=base64.b64decode(kept, validate=True)
                if kept is not None
                else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Invalid(f"no dead letter: {error!r}") from error


def put_back(id: str) -> bytes:  # noqa: A002
    """The mark that the letter with this id was put back."""
    return to_bytes({"putBack": id})


def put_back_id(raw: bytes) -> str | None:
    """Which letter a mark speaks of; None if it is no mark."""
    try:
        told = orjson.loads(raw)
    except ValueError:
        return None
    return told.get("putBack") if isinstance(told, dict) else None
