"""The envelope of every event: CloudEvents 1.0, structured JSON mode.

Spec: CloudEvents 1.0.2, sections "Context Attributes" and "JSON Format"; `traceparent`
and `tracestate` are its extension "Distributed Tracing".
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.contracts.errors import Invalid
from shared.contracts.trace import Trace, trace_in


class Payload(BaseModel):
    """The data of one event; consumers must ignore unknown fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str]
    TOPIC: ClassVar[str]


class Envelope(BaseModel):
    """Source, subject, type, time and data of one event. Immutable; times are UTC."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(min_length=1)
    source: str = Field(min_length=1)
    type: str = Field(min_length=1)
    subject: str = Field(min_length=1)
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    traceparent: str | None = None
    tracestate: str | None = None
    data: dict[str, Any]

    @classmethod
    def of(
        cls,
        payload: Payload,
        *,
        source: str,
        subject: str,
        id: str | None = None,  # noqa: A002 - the attribute's name in the spec
        trace: Trace | None = None,
    ) -> Self:
        """Make the envelope of a payload.

        `source` names the producing service (`/catalog`), `subject` the aggregate,
        which is also the message's key. Without `id`, a new id is made; `trace` is the
        context of what caused the event.
        """
        return cls(
            id=id or str(uuid.uuid4()),
            source=source,
            type=payload.TYPE,
            subject=subject,
            time=datetime.now(UTC),
            traceparent=(trace or {}).get("traceparent"),
            tracestate=(trace or {}).get("tracestate"),
            data=payload.model_dump(mode="json"),
        )

    @property
    def trace(self) -> Trace:
        """The context of what caused the event; empty if it says none."""
        return trace_in(
            {"traceparent": self.traceparent, "tracestate": self.tracestate}
        )

    def document(self) -> dict[str, Any]:
        """The envelope as plain JSON values, as the outbox stores it."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_bytes(self) -> bytes:
        """The envelope as the bytes of a message."""
        return to_bytes(self.document())

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The envelope in `raw`.

        Raises:
            Invalid: if it is not a CloudEvent, naming the first wrong attribute.
        """
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "message"
            raise Invalid(f"{field}: {first['msg']}", code="envelope") from error


def to_bytes(document: Mapping[str, Any]) -> bytes:
    """A JSON document as compact UTF-8."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
