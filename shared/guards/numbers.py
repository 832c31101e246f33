"""Whole numbers in foreign text: addresses, cursors, positions."""


def whole_number(text: str, *, limit: int) -> int | None:
    """The number in a text of ASCII digits; None for other texts and over `limit`.

    `str.isdigit` accepts `²`, and `int` refuses that and 5,000 digits.
    """
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(limit)):
        return None
    number = int(text)
    return number if number <= limit else None
