"""Estimates how wide a text is drawn: rather too wide than cut off."""

CHARACTER = 8.6  # a 13 px letter of a wide system font
LABEL_CHARACTER = 7.0  # an 11 px one
LABEL_HEIGHT = 14.0
NARROW, WIDE = frozenset("fijlrt.,:;'|!()[] "), frozenset("mwMWOQGCD@%&")


def text_width(text: str) -> float:
    """The width of a text, in letters of mean width."""
    return sum(0.65 if x in NARROW else 1.45 if x in WIDE else 1.0 for x in text)
