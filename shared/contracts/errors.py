"""The errors of all services; HTTP, events and the command line translate them.

Names and statuses are those of Backstage's errors package, because clients match them.
"""

from typing import ClassVar, Self


class CallboardError(Exception):
    """An error with a message for people; `name` is for programs."""

    name: ClassVar[str] = "Error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def with_message(self, message: str) -> Self:
        """This error itself, with another message."""
        self.message, self.args = message, (message,)
        return self


class Invalid(CallboardError):
    """The input breaks a rule; the message names the field and the rule."""

    name = "InputError"
    status = 400


class Unauthenticated(CallboardError):
    """The caller is unknown: the token is missing, expired, forged or foreign."""

    name = "AuthenticationError"
    status = 401


class Forbidden(CallboardError):
    """The caller is known but not allowed to do this."""

    name = "NotAllowedError"
    status = 403


class NotFound(CallboardError):
    """The object does not exist, or the caller may not see it."""

    name = "NotFoundError"
    status = 404


class Conflict(CallboardError):
    """The request contradicts the state: another owner, a newer revision, an end."""

    name = "ConflictError"
    status = 409


class TooLarge(CallboardError):
    """The input is over a limit; the message names the limit in bytes."""

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
    """The API has this operation, but this installation does not offer it."""

    name = "NotImplementedError"
    status = 501


class Unavailable(CallboardError):
    """A dependency is unavailable; nothing was lost, retry after `retry_after` s."""

    name = "ServiceUnavailableError"
    status = 503

    def __init__(self, message: str, *, retry_after: int = 2) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def message_of(error: BaseException) -> str:
    """An error's message for people; an OSError's is without this machine's paths."""
    text = str(error)
    if isinstance(error, OSError):
        # Without the system's message there is one text, or a list of paths.
        argument = error.args[0] if error.args else ""
        text = error.strerror or (argument if isinstance(argument, str) else "")
    return text or type(error).__name__
