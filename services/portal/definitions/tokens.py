"""Words and marks of a definition language, with the comments before them."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from services.portal.definitions.model import Unreadable

#: Tokens that are read; of a longer text the beginning is shown.
MOST_TOKENS = 250_000
CUT = "The text is long: only its beginning is listed."


# Not frozen: that takes three times as long to make, and a schema has 100,000 tokens.
@dataclass(slots=True)
class Token:
    """A word, mark or string; `about` is the comment right before it."""

    text: str
    line: int
    about: str = ""
    string: bool = False


class Tokens:
    """Tokens to be taken one by one."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens = list(islice(tokens, MOST_TOKENS + 1))
        #: What the page says of a text that goes on after what is read of it.
        self.notes = [CUT] if len(self._tokens) > MOST_TOKENS else []
        del self._tokens[MOST_TOKENS:]
        self._at = 0

    def read_all(self, read_next: Callable[[], None]) -> None:
        """Calls `read_next` until no token is left.

        Raises:
            Unreadable: as `read_next` does, unless only the text's beginning is read.
        """
        try:
            while self._at < len(self._tokens):
                read_next()
        except Unreadable:
            if not self.notes:
                raise

    def peek(self, ahead: int = 0) -> Token:
        """The next token, or an empty one at the end."""
        place = self._at + ahead
        return self._tokens[place] if place < len(self._tokens) else Token("", 0)

    def next(self) -> Token:
        """Takes the next token. Raises Unreadable at the end."""
        if self._at >= len(self._tokens):
            raise Unreadable("It ends in the middle of something.")
        self._at += 1
        return self._tokens[self._at - 1]

    def take(self, *texts: str) -> bool:
        """Takes the next token if it is one of these."""
        if self._at >= len(self._tokens):
            return False
        token = self._tokens[self._at]
        if token.text not in texts or token.string:
            return False
        self._at += 1
        return True

    def expect(self, text: str) -> Token:
        """Takes the next token, which must be this. Raises Unreadable otherwise."""
        token = self.next()
        if token.text != text:
            raise Unreadable(
                f"`{text}` was expected in line {token.line}, not `{token.text[:40]}`."
            )
        return token

    def skip_block(self, opening: str, closing: str) -> None:
        """Passes over a balanced block, the opening mark still to come."""
        self.expect(opening)
        depth = 1
        while depth:
            token = self.next()
            if not token.string:
                depth += (token.text == opening) - (token.text == closing)


def tokenize(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, str, int]]:
    """Kind, text and line of each token; `pattern` has one named group a kind.

    Each alternative of `pattern` must decide in time linear to what it matches. The
    last is `unknown`, any character: without it a search would go on behind one.

    Raises:
        Unreadable: for a character that belongs to no token, naming its line.
    """
    line = 1
    for match in pattern.finditer(text):
        kind, lexeme = match.lastgroup or "", match[0]
        if kind == "unknown":
            raise Unreadable(f"Line {line} holds {lexeme!r}, which means nothing.")
        yield kind, lexeme, line
        line += lexeme.count("\n")
