"""Whole numbers in texts of strangers: addresses, cursors, positions."""


def whole_number(text: str, *, most: int) -> int | None:
    """The number that a text of ASCII digits writes; None for others and over `most`.

    `str.isdigit` alone says yes to `²`, and `int` refuses both that and 5,000 digits.
    """
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)):
        return None
    number = int(text)
    return number if number <= most else None
