"""Nunjucks' filters on text."""

import html
import math
import re
from typing import Any
from urllib.parse import quote

from services.scaffolder.dialect import patterns
from services.scaffolder.dialect.arithmetic import integer
from services.scaffolder.dialect.calling import Call, Operation
from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.values import (
    UNDEFINED,
    Pattern,
    SafeText,
    empty,
    is_number,
    shown,
    text,
    truthy,
)

_TAGS = re.compile(r"</?[a-z][a-z0-9]*\b[^>]*>|<!--[\s\S]*?-->", re.IGNORECASE)
_WORD = re.compile(r"\w+", re.ASCII)
_AROUND_WORD = re.compile(r"(?:\(|<|&lt;)?(.*?)(?:\.|,|\)|\n|&gt;)?", re.DOTALL)
_MAIL = re.compile(
    r"[\w.!#$%&'*+\-/=?^`{|}~]+@[a-z\d\-]+(\.[a-z\d\-]+)+", re.IGNORECASE
)
_DOMAIN = re.compile(r"\.(?:org|net|com)(?::|/|$)")
_UNRESERVED = "-_.!~*'()"
_WIDEST = 1_000_000


def capitalize(call: Call) -> str:
    """The first letter large, the others small."""
    given = call.text().lower()
    return call.made(given[:1].upper() + given[1:])


def center(call: Call) -> str:
    """In the middle of a width (80)."""
    given, width = call.text(), _width(call.arg(0, 80))
    missing = width - len(given)
    if missing <= 0:
        return given
    before = max(0, math.ceil(missing / 2 - missing % 2))
    return call.made(" " * before + given + " " * math.ceil(missing / 2))


def _width(value: Any) -> int:
    width = integer(value)
    if width > _WIDEST:
        raise ValueFailure(f"A width is over {_WIDEST}")
    return width


def escape(call: Call) -> SafeText:
    """For HTML, unless it is safe already."""
    if isinstance(call.value, SafeText):
        return call.value
    return SafeText(call.made(escaped(shown(call.value))))


def forceescape(call: Call) -> SafeText:
    """For HTML, even if it is safe already."""
    return SafeText(call.made(escaped(shown(call.value))))


def escaped(given: str) -> str:
    """HTML's special characters as entities, and the backslash, as Nunjucks does."""
    made = html.escape(given, quote=True).replace("&#x27;", "&#39;")
    return made.replace("\\", "&#92;")


def indent(call: Call) -> str:
    """Each line moved right; the first one only if asked."""
    given = call.text()
    margin = " " * _width(call.arg(0, 4))
    lines = given.split("\n") if given else []
    call.budget.write(len(given) + len(lines) * len(margin))
    first = truthy(call.arg(1, False))
    return "\n".join(
        margin + line if index or first else line for index, line in enumerate(lines)
    )


def nl2br(call: Call) -> str:
    """A `<br />` at each line end."""
    given = "" if empty(call.value) else text(call.value)
    return call.made(re.sub(r"\r\n|\n", "<br />\n", given))


def replace(call: Call) -> Any:
    """Every occurrence of a text, or what a pattern matches (`g`: everywhere)."""
    given, old, new = call.value, call.arg(0), call.arg(1)
    if isinstance(old, Pattern):
        if not isinstance(given, str):
            raise ValueFailure("replace with a pattern requires a string")
        return patterns.replace(old, given, text(new), call.budget.write)
    limit = integer(call.arg(2, -1))
    old = text(old) if is_number(old) else old
    given = text(given) if is_number(given) else given
    if not isinstance(old, str) or not isinstance(given, str):
        return given
    made = text(new)
    call.budget.write(given.count(old) * len(made) + len(given))
    return given.replace(old, made, limit)


def safe(call: Call) -> SafeText:
    """Marked as not to be escaped."""
    return SafeText("" if empty(call.value) else text(call.value))


def string(call: Call) -> str:
    """As text."""
    if empty(call.value):
        raise ValueFailure("string requires a value")
    return call.made(text(call.value))


def striptags(call: Call) -> str:
    """Without HTML tags; spaces folded unless they are to be kept."""
    given = call.text()
    while (stripped := _TAGS.sub("", given)) != given:
        call.budget.spend(10)
        given = stripped
    given = given.strip()
    if not truthy(call.arg(0, False)):
        return re.sub(r"\s+", " ", given)
    given = re.sub(r"^ +| +$", "", given, flags=re.MULTILINE)
    given = re.sub(r" +", " ", given).replace("\r\n", "\n")
    return re.sub(r"\n\n\n+", "\n\n", given)


def title(call: Call) -> str:
    """Each word with a large first letter."""
    words = call.text().lower().split(" ")
    return call.made(" ".join(word[:1].upper() + word[1:] for word in words))


def _trim(call: Call) -> str:
    if not isinstance(call.value, str):
        raise ValueFailure("Filter input must be a string")
    return call.value.strip()


def truncate(call: Call) -> str:
    """The beginning, up to a length (255), whole words unless told."""
    given, longest = call.text(), integer(call.arg(0, 255))
    if len(given) <= longest:
        return given
    if not truthy(call.arg(1, False)):
        space = given.rfind(" ", 0, longest + 1)
        longest = longest if space < 0 else space
    ending = call.arg(2, None)
    return call.made(
        given[: max(0, longest)] + ("..." if empty(ending) else text(ending))
    )


def urlencode(call: Call) -> str:
    """For a URL; of pairs or an object, a query."""
    value = call.value
    if isinstance(value, str):
        return call.made(_quoted(value))
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list):
        return ""
    made = [
        "=".join(_quoted(text(part)) for part in (*pair, UNDEFINED)[:2])
        for pair in pairs
        if isinstance(pair, (list, tuple))
    ]
    return call.made("&".join(made))


def _quoted(given: str) -> str:
    return quote(given, safe=_UNRESERVED, errors="surrogatepass")


def urlize(call: Call) -> str:
    """With its web and mail addresses as links."""
    longest = call.arg(0, math.inf)
    size = integer(longest) if is_number(longest) else _WIDEST
    follow = ' rel="nofollow"' if call.arg(1) is True else ""
    words = [word for word in re.split(r"(\s+)", call.text()) if word]
    call.budget.spend(len(words))
    return call.made("".join(_linked(word, size, follow) for word in words))


def _linked(word: str, size: int, follow: str) -> str:
    found = _AROUND_WORD.fullmatch(word)
    url = found[1] if found else word
    if re.match(r"https?://", url):
        return f'<a href="{url}"{follow}>{url[:size]}</a>'
    if url.startswith("www."):
        return f'<a href="http://{url}"{follow}>{url[:size]}</a>'
    if _MAIL.fullmatch(url):
        return f'<a href="mailto:{url}">{url}</a>'
    if _DOMAIN.search(url):
        return f'<a href="http://{url}"{follow}>{url[:size]}</a>'
    return word


def wordcount(call: Call) -> int | None:
    """How many words there are; null for none."""
    return len(_WORD.findall(call.text())) or None


FILTERS: dict[str, Operation] = {
    "capitalize": capitalize,
    "center": center,
    "e": escape,
    "escape": escape,
    "forceescape": forceescape,
    "indent": indent,
    "lower": lambda call: call.made(call.text().lower()),
    "nl2br": nl2br,
    "replace": replace,
    "safe": safe,
    "string": string,
    "striptags": striptags,
    "title": title,
    "trim": _trim,
    "truncate": truncate,
    "upper": lambda call: call.made(call.text().upper()),
    "urlencode": urlencode,
    "urlize": urlize,
    "wordcount": wordcount,
}
