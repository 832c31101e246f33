"""One vocabulary of failures; each edge (HTTP, events, command line) has one table.

Names and statuses are those of Backstage's errors package, because clients match them.
"""

from typing import ClassVar


class CallboardError(Exception):
    """What went wrong, in words for the person who asked; `name` is for programs."""

    name: ClassVar[str] = "Error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Invalid(CallboardError):
    """The input breaks a rule; the message names the field and the rule."""

    name = "InputError"
    status = 400


class Unauthenticated(CallboardError):
    """Nobody known is asking: no token, or one that is expired, forged or foreign."""

    name = "AuthenticationError"
    status = 401


class Forbidden(CallboardError):
    """Somebody known is asking for what they may not have."""

    name = "NotAllowedError"
    status = 403


class NotFound(CallboardError):
    """There is no such thing, or none that the caller may see."""

    name = "NotFoundError"
    status = 404


class Conflict(CallboardError):
    """It contradicts what is there: another owner, a newer revision, a final state."""

    name = "ConflictError"
    status = 409


class TooLarge(CallboardError):
    """The input is over a stated limit; the message names the limit in bytes."""

    name = "PayloadTooLargeError"
    status = 413


class TooMany(CallboardError):
    """Too many requests; try again after `retry_after` seconds."""

    name = "TooManyRequestsError"
    status = 429

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unsupported(CallboardError):
    """The API names this operation, and this installation does not offer it."""

    name = "NotImplementedError"
    status = 501


class Unavailable(CallboardError):
    """Something this needs is away; nothing was lost, try after `retry_after` s."""

    name = "ServiceUnavailableError"
    status = 503

    def __init__(self, message: str, *, retry_after: int = 2) -> None:
        super().__init__(message)
        self.retry_after = retry_after
