"""A monotonic clock that only tests move."""


class Clock:
    """The time in seconds; `now` is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now
