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
    interpolated_text,
    is_number,
    text,
    truthy,
)
from shared.guards import text_search

_TAG_HEAD = re.compile(r"</?[a-z][a-z0-9]*\b", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_BLANKS = re.compile(r" +")
_WORDS = re.compile(r"\s+|\S+")
_WORD = re.compile(r"\w+", re.ASCII)
_AROUND_WORD = re.compile(r"(?:\(|<|&lt;)?(.*?)(?:\.|,|\)|\n|&gt;)?", re.DOTALL)
_MAIL = re.compile(
    r"[\w.!#$%&'*+\-/=?^`{|}~]+@[a-z\d\-]+(\.[a-z\d\-]+)+", re.IGNORECASE
)
_DOMAIN = re.compile(r"\.(?:org|net|com)(?::|/|$)")
_UNRESERVED = "-_.!~*'()"
_WIDEST = 1_000_000
_WIDEST_PAIR = 100
#: No browser takes a longer address, and what is no address need not be looked into.
_LONGEST_ADDRESS = 10_000
#: Long texts are quoted piece by piece, so that other threads get their turn.
_PIECE = 50_000


def capitalize(call: Call) -> str:
    """The first letter large, the others small."""
    given = call.text().lower()
    return given[:1].upper() + given[1:]


def center(call: Call) -> str:
    """In the middle of a width (80)."""
    given, width = call.text(), _width(call.arg(0, 80))
    missing = width - len(given)
    if missing <= 0:
        return given
    call.afford(width)
    before = max(0, math.ceil(missing / 2 - missing % 2))
    return " " * before + given + " " * math.ceil(missing / 2)


def _width(value: Any) -> int:
    width = integer(value)
    if width > _WIDEST:
        raise ValueFailure(f"A width is over {_WIDEST}")
    return width


def escape(call: Call) -> SafeText:
    """For HTML, unless it is safe already."""
    if isinstance(call.value, SafeText):
        return call.value
    return SafeText(_escaped(call))


def forceescape(call: Call) -> SafeText:
    """For HTML, even if it is safe already."""
    return SafeText(_escaped(call))


def _escaped(call: Call) -> str:
    given = interpolated_text(call.value)
    call.afford(len(given) + 5 * sum(map(given.count, "&<>\"'\\")))
    return escaped(given)


def escaped(given: str) -> str:
    """HTML's special characters as entities, and the backslash, as Nunjucks does."""
    made = html.escape(given, quote=True).replace("&#x27;", "&#39;")
    return made.replace("\\", "&#92;")


def indent(call: Call) -> str:
    """Each line moved right; the first one only if asked."""
    given = call.text()
    margin = " " * _width(call.arg(0, 4))
    call.afford(len(given) + (given.count("\n") + 1) * len(margin))
    lines = given.split("\n") if given else []
    first = truthy(call.arg(1, False))
    return "\n".join(
        margin + line if index or first else line for index, line in enumerate(lines)
    )


def nl2br(call: Call) -> str:
    """A `<br />` at each line end."""
    given = "" if empty(call.value) else text(call.value)
    call.afford(len(given) + 6 * given.count("\n"))
    return given.replace("\r\n", "\n").replace("\n", "<br />\n")


def replace(call: Call) -> Any:
    """Every occurrence of a text, or what a pattern matches (`g`: everywhere)."""
    given, old, new = call.value, call.arg(0), call.arg(1)
    if isinstance(old, Pattern):
        if not isinstance(given, str):
            raise ValueFailure("replace with a pattern requires a string")
        return patterns.replace(old, given, text(new), call.budget)
    limit = integer(call.arg(2, -1))
    old = text(old) if is_number(old) else old
    given = text(given) if is_number(given) else given
    if not isinstance(old, str) or not isinstance(given, str):
        return given
    made = text(new)
    call.afford(text_search.count(given, old) * len(made) + len(given))
    return text_search.replace(given, old, made, limit)


def safe(call: Call) -> SafeText:
    """Marked as not to be escaped."""
    return SafeText("" if empty(call.value) else text(call.value))


def string(call: Call) -> str:
    """As text."""
    if empty(call.value):
        raise ValueFailure("string requires a value")
    return text(call.value)


def striptags(call: Call) -> str:
    """Without HTML tags; spaces folded unless they are to be kept."""
    given = call.text()
    while (stripped := _without_tags(call, given)) != given:
        given = stripped
    given = given.strip()
    if not truthy(call.arg(0, False)):
        return _folded(call, _SPACE, given)
    call.afford_items(given.count("\n") + 1)
    lines = [_folded(call, _BLANKS, line.strip(" ")) for line in given.split("\n")]
    made = "\n".join(lines).replace("\r\n", "\n")
    return re.sub(r"\n\n\n+", "\n\n", made)


def _folded(call: Call, spaces: re.Pattern[str], given: str) -> str:
    """Runs of spaces as one; a function in between lets other threads have a turn."""

    def one(_: re.Match[str]) -> str:
        call.budget.spend()
        return " "

    return spaces.sub(one, given)


def _without_tags(call: Call, given: str) -> str:
    """One pass over the text: each tag and comment that has an end is left out."""
    call.budget.write(len(given))
    parts: list[str] = []
    last_end, last_comment_end = given.rfind(">"), given.rfind("-->")
    done = 0
    at = given.find("<")
    while 0 <= at < last_end:
        call.budget.spend()
        end = -1
        if given.startswith("<!--", at) and at + 4 <= last_comment_end:
            end = given.find("-->", at + 4) + 3
        elif head := _TAG_HEAD.match(given, at):
            end = given.find(">", head.end()) + 1
        if end > 0:
            parts.append(given[done:at])
            done = end
        at = given.find("<", max(end, at + 1))
    return "".join((*parts, given[done:]))


def title(call: Call) -> str:
    """Each word with a large first letter."""
    given = call.text()
    call.afford_items(given.count(" ") + 1)
    words = given.lower().split(" ")
    return " ".join(word[:1].upper() + word[1:] for word in words)


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
    return given[: max(0, longest)] + ("..." if empty(ending) else text(ending))


def urlencode(call: Call) -> str:
    """For a URL; of pairs or an object, a query."""
    value = call.value
    if isinstance(value, str):
        return _quoted(call, value)
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list):
        return ""
    made = [
        "=".join(_quoted(call, text(part)) for part in (*pair, UNDEFINED)[:2])
        for pair in pairs
        if isinstance(pair, (list, tuple)) and len(pair) <= _WIDEST_PAIR
    ]
    call.afford(sum(map(len, made)) + len(made))
    return "&".join(made)


def _quoted(call: Call, given: str) -> str:
    call.afford(len(given))
    size = len(given.encode("utf-8", "surrogatepass"))
    call.budget.write(3 * size)
    pieces = (given[at : at + _PIECE] for at in range(0, len(given), _PIECE))
    return "".join(
        quote(piece, safe=_UNRESERVED, errors="surrogatepass") for piece in pieces
    )


def urlize(call: Call) -> str:
    """With its web and mail addresses as links."""
    longest = call.arg(0, math.inf)
    size = integer(longest) if is_number(longest) else _WIDEST
    follow = ' rel="nofollow"' if call.arg(1) is True else ""
    given = call.text()
    call.afford(2 * len(given))
    made: list[str] = []
    for word in _WORDS.finditer(given):
        call.budget.spend(5)
        made.append(_linked(word[0], size, follow))
        call.budget.write(len(made[-1]))
    return "".join(made)


def _linked(word: str, size: int, follow: str) -> str:
    if len(word) > _LONGEST_ADDRESS:
        return word
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
    count = 0
    for _ in _WORD.finditer(call.text()):
        call.budget.spend(2)
        count += 1
    return count or None


FILTERS: dict[str, Operation] = {
    "capitalize": capitalize,
    "center": center,
    "e": escape,
    "escape": escape,
    "forceescape": forceescape,
    "indent": indent,
    "lower": lambda call: call.text().lower(),
    "nl2br": nl2br,
    "replace": replace,
    "safe": safe,
    "string": string,
    "striptags": striptags,
    "title": title,
    "trim": _trim,
    "truncate": truncate,
    "upper": lambda call: call.text().upper(),
    "urlencode": urlencode,
    "urlize": urlize,
    "wordcount": wordcount,
}
