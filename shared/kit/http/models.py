"""Models of requests and responses: snake_case in Python, camelCase in JSON."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

#: For a field that a response may omit and that is never null: `str | Absent`.
Absent = SkipJsonSchema[None]


def _first_wrong_text(value: Any) -> Any:
    """Only the first value that is no text; all values without one."""
    for name, text in value.items() if isinstance(value, dict) else ():
        if not isinstance(text, str):
            return {name: text}
    return value


#: Texts by name. Pydantic makes an error of each wrong one, however many: it gets one.
TextsByName = Annotated[dict[str, str], BeforeValidator(_first_wrong_text)]


class RequestModel(BaseModel):
    """The body or query of a request."""

    model_config = ConfigDict(alias_generator=to_camel)


class ClosedRequestModel(RequestModel):
    """The body or query of a request, without unknown keys."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def refuse_unknown_keys(cls, value: Any) -> Any:
        """Stop at the first key: pydantic makes an error of each, however many."""
        names = {field.alias for field in cls.model_fields.values()}
        for key in value if isinstance(value, dict) else ():
            if key not in names:
                rule = "unrecognized key '{key}'"
                raise PydanticCustomError("extra_forbidden", rule, {"key": key})
        return value


class ResponseModel(BaseModel):
    """The body of a response; code creates it by the names of its fields."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


class ErrorDetails(ResponseModel):
    """The error itself."""

    name: str = Field(description="Backstage's name of the error: NotFoundError")
    message: str


class ErrorBody(ResponseModel):
    """The body of every error, as Backstage's clients read it."""

    error: ErrorDetails
    request: dict[str, str] = Field(description="Its method and url")
    response: dict[str, int] = Field(description="Its statusCode")
