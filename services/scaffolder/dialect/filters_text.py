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
    interpolated_text,
    is_nullish,
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
#: No browser takes a longer address: a longer word is no address.
_LONGEST_ADDRESS = 10_000
#: Long texts are quoted in pieces: between them other threads can run.
_PIECE = 50_000


def capitalize(call: Call) -> str:
    """The first letter large, the others small."""
    source = call.text().lower()
    return source[:1].upper() + source[1:]


def center(call: Call) -> str:
    """In the middle of a width (80)."""
    source, width = call.text(), _width(call.arg(0, 80))
    missing = width - len(source)
    if missing <= 0:
        return source
    call.afford(width)
    before = max(0, math.ceil(missing / 2 - missing % 2))
    return " " * before + source + " " * math.ceil(missing / 2)


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
    source = interpolated_text(call.value)
    call.afford(len(source) + 5 * sum(map(source.count, "&<>\"'\\")))
    return escaped(source)


def escaped(source: str) -> str:
    """HTML's special characters as entities, and the backslash, as Nunjucks does."""
    result = html.escape(source, quote=True).replace("&#x27;", "&#39;")
    return result.replace("\\", "&#92;")


def indent(call: Call) -> str:
    """Each line moved right, the first one only with `true`."""
    source = call.text()
    margin = " " * _width(call.arg(0, 4))
    call.afford(len(source) + (source.count("\n") + 1) * len(margin))
    lines = source.split("\n") if source else []
    first = truthy(call.arg(1, False))
    return "\n".join(
        margin + line if index or first else line for index, line in enumerate(lines)
    )


def nl2br(call: Call) -> str:
    """A `<br />` at each line end."""
    source = "" if is_nullish(call.value) else text(call.value)
    call.afford(len(source) + 6 * source.count("\n"))
    return source.replace("\r\n", "\n").replace("\n", "<br />\n")


def replace(call: Call) -> Any:
    """Every occurrence of a text, or what a pattern matches (`g`: everywhere)."""
    source, old, new = call.value, call.arg(0), call.arg(1)
    if isinstance(old, Pattern):
        if not isinstance(source, str):
            raise ValueFailure("replace with a pattern requires a string")
        return patterns.replace(old, source, text(new), call.budget)
    limit = integer(call.arg(2, -1))
    old = text(old) if is_number(old) else old
    source = text(source) if is_number(source) else source
    if not isinstance(old, str) or not isinstance(source, str):
        return source
    replacement = text(new)
    call.afford(text_search.count(source, old) * len(replacement) + len(source))
    return text_search.replace(source, old, replacement, limit)


def safe(call: Call) -> SafeText:
    """Marked as not to be escaped."""
    return SafeText("" if is_nullish(call.value) else text(call.value))


def string(call: Call) -> str:
    """As text."""
    if is_nullish(call.value):
        raise ValueFailure("string requires a value")
    return text(call.value)


def striptags(call: Call) -> str:
    """Without HTML tags; runs of spaces become one, unless line ends are preserved."""
    source = call.text()
    while (stripped := _without_tags(call, source)) != source:
        source = stripped
    source = source.strip()
    if not truthy(call.arg(0, False)):
        return _folded(call, _SPACE, source)
    call.afford_items(source.count("\n") + 1)
    lines = [_folded(call, _BLANKS, line.strip(" ")) for line in source.split("\n")]
    result = "\n".join(lines).replace("\r\n", "\n")
    return re.sub(r"\n\n\n+", "\n\n", result)


def _folded(call: Call, spaces: re.Pattern[str], source: str) -> str:
    """Runs of spaces as one; calling a function for each lets other threads run."""

    def one(_: re.Match[str]) -> str:
        call.budget.spend()
        return " "

    return spaces.sub(one, source)


def _without_tags(call: Call, source: str) -> str:
    """The text after one pass: each closed tag and comment is left out."""
    call.budget.write(len(source))
    parts: list[str] = []
    last_end, last_comment_end = source.rfind(">"), source.rfind("-->")
    done = 0
    at = source.find("<")
    while 0 <= at < last_end:
        call.budget.spend()
        end = -1
        if source.startswith("<!--", at) and at + 4 <= last_comment_end:
            end = source.find("-->", at + 4) + 3
        elif head := _TAG_HEAD.match(source, at):
            end = source.find(">", head.end()) + 1
        if end > 0:
            parts.append(source[done:at])
            done = end
        at = source.find("<", max(end, at + 1))
    return "".join((*parts, source[done:]))


def title(call: Call) -> str:
    """Each word with a large first letter."""
    source = call.text()
    call.afford_items(source.count(" ") + 1)
    words = source.lower().split(" ")
    return " ".join(word[:1].upper() + word[1:] for word in words)


def _trim(call: Call) -> str:
    if not isinstance(call.value, str):
        raise ValueFailure("Filter input must be a string")
    return call.value.strip()


def truncate(call: Call) -> str:
    """The beginning, up to a length (255), cut between words unless `true`."""
    source, longest = call.text(), integer(call.arg(0, 255))
    if len(source) <= longest:
        return source
    if not truthy(call.arg(1, False)):
        space = source.rfind(" ", 0, longest + 1)
        longest = longest if space < 0 else space
    ending = call.arg(2, None)
    return source[: max(0, longest)] + ("..." if is_nullish(ending) else text(ending))


def urlencode(call: Call) -> str:
    """For a URL; of pairs or an object, a query."""
    value = call.value
    if isinstance(value, str):
        return _quoted(call, value)
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list):
        return ""
    pieces = [
        "=".join(_quoted(call, text(part)) for part in (*pair, UNDEFINED)[:2])
        for pair in pairs
        if isinstance(pair, (list, tuple)) and len(pair) <= _WIDEST_PAIR
    ]
    call.afford(sum(map(len, pieces)) + len(pieces))
    return "&".join(pieces)


def _quoted(call: Call, source: str) -> str:
    call.afford(len(source))
    size = len(source.encode("utf-8", "surrogatepass"))
    call.budget.write(3 * size)
    pieces = (source[at : at + _PIECE] for at in range(0, len(source), _PIECE))
    return "".join(
        quote(piece, safe=_UNRESERVED, errors="surrogatepass") for piece in pieces
    )


def urlize(call: Call) -> str:
    """With its web and mail addresses as links."""
    longest = call.arg(0, math.inf)
    size = integer(longest) if is_number(longest) else _WIDEST
    follow = ' rel="nofollow"' if call.arg(1) is True else ""
    source = call.text()
    call.afford(2 * len(source))
    pieces: list[str] = []
    for word in _WORDS.finditer(source):
        call.budget.spend(5)
        pieces.append(_linked(word[0], size, follow))
        call.budget.write(len(pieces[-1]))
    return "".join(pieces)


def _linked(word: str, size: int, follow: str) -> str:
    if len(word) > _LONGEST_ADDRESS:
        return word
    match = _AROUND_WORD.fullmatch(word)
    url = match[1] if match else word
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
