"""The formats of JSON Schema that forms use, checked in time linear in the text."""

import datetime as dt
import ipaddress
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from shared.guards.patterns import NotAPattern, compile_pattern

_LENGTH_LIMIT = 2_000
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_HOST = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]*")
_TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?")


def conforms(name: Any, text: str) -> bool:
    """Whether `text` has the format `name`; every text has an unknown format."""
    check = _FORMATS.get(name) if isinstance(name, str) else None
    if check is None:
        return True
    if len(text) > _LENGTH_LIMIT:
        return False
    try:
        return check(text)
    except ValueError:
        return False


def _date(text: str) -> bool:
    return len(text) == 10 and bool(dt.date.fromisoformat(text))


def _time(text: str) -> bool:
    return bool(_TIME.fullmatch(text)) and _is_clock(text[:8])


def _is_clock(text: str) -> bool:
    hours, minutes, seconds = (int(part) for part in text.split(":"))
    return hours < 24 and minutes < 60 and seconds < 61


def _date_time(text: str) -> bool:
    return text[10:11] in {"T", "t", " "} and _date(text[:10]) and _time(text[11:])


def _host(text: str) -> bool:
    return len(text) < 254 and bool(_HOST.fullmatch(text))


def _pattern(text: str) -> bool:
    try:
        compile_pattern(text)
    except NotAPattern:
        return False
    return True


_FORMATS: Mapping[str, Callable[[str], bool]] = {
    "date": _date,
    "time": _time,
    "date-time": _date_time,
    "email": lambda text: bool(_EMAIL.fullmatch(text)),
    "idn-email": lambda text: bool(_EMAIL.fullmatch(text)),
    "hostname": _host,
    "ipv4": lambda text: bool(ipaddress.IPv4Address(text)),
    "ipv6": lambda text: bool(ipaddress.IPv6Address(text)),
    "uri": lambda text: bool(_URI.fullmatch(text)),
    "url": lambda text: bool(_URI.fullmatch(text)),
    "uuid": lambda text: len(text) == 36 and bool(uuid.UUID(text)),
    "regex": _pattern,
}
