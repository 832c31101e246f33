"""How facts are worded on a page: times, numbers, names. The templates' filters."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from services.portal.prose import line_prose, plain_text, short_prose
from shared.contracts.errors import Invalid
from shared.guards.addresses import split_address

Clock = Callable[[], datetime]

STEPS = (
    (60, 1, "second"),
    (3600, 60, "minute"),
    (86400, 3600, "hour"),
    (7 * 86400, 86400, "day"),
    (31 * 86400, 7 * 86400, "week"),
    (365 * 86400, 30.44 * 86400, "month"),
)
YEAR_SECONDS = 365.25 * 86400
JUST_NOW_SECONDS = 10
#: What browsers drop at both ends of an address, and everywhere in it.
AROUND_ADDRESSES = "".join(map(chr, range(0x21)))
NOT_IN_ADDRESSES = str.maketrans("", "", "\t\r\n")
SAFE_SCHEMES = frozenset({"http", "https", "mailto", "tel", ""})


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def moment(value: object) -> datetime | None:
    """The time that `value` means (ISO 8601 text, datetime, ms since 1970), or None."""
    try:
        if isinstance(value, datetime):
            time = value
        elif isinstance(value, int | float):
            time = datetime.fromtimestamp(value / 1000, UTC)
        else:
            time = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def relative_time(value: object, *, at: datetime | None = None) -> str:
    """`3 minutes ago`, `in 2 days`; the text itself if it is no time."""
    then = moment(value)
    if then is None:
        return str(value)
    seconds = ((at or now()) - then).total_seconds()
    if abs(seconds) < JUST_NOW_SECONDS:
        return "just now"
    for limit, unit, word in STEPS:
        if abs(seconds) < limit:
            return _ago(seconds, unit, word)
    return _ago(seconds, YEAR_SECONDS, "year")


def _ago(seconds: float, unit: float, word: str) -> str:
    many = max(1, int(abs(seconds) // unit))
    text = f"{many} {word}{'' if many == 1 else 's'}"
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def exact_time(value: object) -> str:
    """`Tuesday, 3 March 2026, 14:05:09 UTC`, for the hover text."""
    then = moment(value)
    if then is None:
        return str(value)
    utc = then.astimezone(UTC)
    return f"{utc:%A}, {utc.day} {utc:%B %Y, %H:%M:%S} UTC"


def iso_time(value: object) -> str:
    """The time for machines."""
    then = moment(value)
    return then.isoformat() if then else ""


def duration(milliseconds: object) -> str:
    """`850 ms`, `3.2 s`, `4 min 10 s`; times in whole seconds get no more digits."""
    if not isinstance(milliseconds, int | float):
        return ""
    seconds = milliseconds / 1000
    if milliseconds == 0:
        return "under 1 s"
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def number(value: object) -> str:
    """A count with thin gaps between thousands: 12 345."""
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else str(value)


def plural(count: int, one: str, many: str = "") -> str:
    """`1 entry`, `3 entries`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def initials(name: str) -> str:
    """Up to two letters that stand for a name."""
    words = [
        word
        for word in name.replace("-", " ").replace(".", " ").split()
        if word.strip()
    ]
    letters = [word[0] for word in words[:1] + words[1:][-1:]]
    return "".join(letters).upper() or "?"


def safe_url(value: object) -> str:
    """The address if a browser may follow it, else ""; `javascript:` never is.

    As browsers read it (WHATWG URL): blanks around it and line breaks in it are no part
    of it. Other blanks and signs that nobody sees are of a file's name: escaped.
    """
    text = str(value or "").strip().strip(AROUND_ADDRESSES).translate(NOT_IN_ADDRESSES)
    escaped = "".join(map(_visible, text))
    try:
        scheme = split_address(escaped).scheme.lower()
    except Invalid:
        return ""
    return escaped if scheme in SAFE_SCHEMES else ""


def _visible(char: str) -> str:
    is_plain = char.isprintable() and char != " "
    return char if is_plain else quote(char, safe="", errors="replace")


def host(value: object) -> str:
    """The host of an address, for `at github.com`."""
    try:
        return split_address(str(value)).hostname or ""
    except Invalid:
        return ""


def mailto(value: object) -> str:
    """The address that writes to somebody; what is no plain part of one is escaped."""
    return f"mailto:{quote(str(value), safe='@+')}"


FILTERS: dict[str, Callable[..., Any]] = {
    "relative_time": relative_time,
    "exact_time": exact_time,
    "iso_time": iso_time,
    "duration": duration,
    "number": number,
    "plural": plural,
    "initials": initials,
    "safe_url": safe_url,
    "host": host,
    "mailto": mailto,
    "line_prose": line_prose,
    "plain": plain_text,
    "prose": short_prose,
}
