"""Nunjucks' expression grammar over Jinja2's parser and node types.

Precedence is JavaScript's, because Nunjucks writes expressions out as JavaScript: `~`
stands beside `+`, `not` binds tighter than `==`, `**` and `//` are calls; `**` groups
to the left, an inline `if` does not chain.
"""

from jinja2 import Environment, nodes
from jinja2.lexer import Token
from jinja2.parser import Parser

from services.scaffolder.dialect.precedence import (
    COMPARISONS,
    FLAT,
    ORDERING,
    compared,
    computed,
    first,
    floored,
    fold,
    set_first,
)
from services.scaffolder.dialect.values import number

_CONSTANTS = {"true": True, "false": False, "none": None, "null": None}
_PYTHON_CONSTANTS = {"True": True, "False": False, "None": None}


class ExpressionParser(Parser):
    """Parses one expression into Jinja2 nodes; statements are in `statements`."""

    python_words = False

    def __init__(
        self,
        environment: Environment,
        source: str,
        name: str | None = None,
        filename: str | None = None,
    ) -> None:
        super().__init__(environment, source, name, filename)
        self._groups: set[int] = set()

    def parse_tuple(
        self,
        simplified: bool = False,
        with_condexpr: bool = True,
        extra_end_rules: tuple[str, ...] | None = None,
        explicit_parentheses: bool = False,
        with_namespace: bool = False,
    ) -> nodes.Expr:
        """One expression: this language has no tuples."""
        del simplified, extra_end_rules, explicit_parentheses, with_namespace
        return self.parse_expression(with_condexpr)

    def parse_expression(self, with_condexpr: bool = True) -> nodes.Expr:
        chosen = self.parse_or()
        if not with_condexpr or not self.stream.skip_if("name:if"):
            return chosen
        line = self.stream.current.lineno
        test = self.parse_or()
        other = self.parse_or() if self.stream.skip_if("name:else") else None
        return nodes.CondExpr(test, chosen, other, lineno=line)

    def parse_not(self) -> nodes.Expr:
        if not self.stream.current.test("name:not"):
            return self._parse_in()
        line = next(self.stream).lineno
        return self._negated(self.parse_not(), line)

    def _negated(self, node: nodes.Expr, line: int) -> nodes.Expr:
        """`not` binds to the first operand only: `not a == b` is `(not a) == b`."""
        operand = node
        while (
            isinstance(operand, (*FLAT, nodes.Compare))
            and id(operand) not in self._groups
            and not (isinstance(operand, nodes.Compare) and operand.ops[0].op == "in")
        ):
            above = operand
            operand = first(operand)
        if operand is node:
            return nodes.Not(node, lineno=line)
        set_first(above, nodes.Not(operand, lineno=line))
        return node

    def _parse_in(self) -> nodes.Expr:
        left = self._parse_is()
        while True:
            line = self.stream.current.lineno
            if self.stream.current.test("name:in"):
                next(self.stream)
                inverted = False
            elif self.stream.current.test("name:not") and self.stream.look().test(
                "name:in"
            ):
                self.stream.skip(2)
                inverted = True
            else:
                return left
            operand = nodes.Operand("in", self._parse_is(), lineno=line)
            left = nodes.Compare(left, [operand], lineno=line)
            if inverted:
                left = nodes.Not(left, lineno=line)

    def _parse_is(self) -> nodes.Expr:
        node = self.parse_compare()
        if not self.stream.current.test("name:is"):
            return node
        line = next(self.stream).lineno
        inverted = self.stream.skip_if("name:not")
        name = self.stream.expect("name")
        args: list[nodes.Expr] = []
        if self.stream.current.type == "lparen":
            args, _ = self._parse_arguments()
        test: nodes.Expr = nodes.Test(
            node, name.value, args, [], None, None, lineno=name.lineno
        )
        return nodes.Not(test, lineno=line) if inverted else test

    def parse_compare(self) -> nodes.Expr:
        operands, signs = [self.parse_concat()], list[Token]()
        while self.stream.current.type in COMPARISONS:
            signs.append(next(self.stream))
            operands.append(self.parse_concat())
        for level in (ORDERING, frozenset(COMPARISONS) - ORDERING):
            fold(operands, signs, level, compared)
        return operands[0]

    def parse_concat(self) -> nodes.Expr:
        """`+`, `-` and `~`, from left to right."""
        operands, signs = [self._parse_product()], list[Token]()
        while self.stream.current.type in {"add", "sub", "tilde"}:
            signs.append(next(self.stream))
            operands.append(self._parse_product())
        fold(operands, signs, frozenset(("add", "sub", "tilde")), computed)
        return operands[0]

    def _parse_product(self) -> nodes.Expr:
        """`*`, `/` and `%` from left to right, with each run of `//` as one operand."""
        operands, signs = [self._parse_power()], list[Token]()
        while self.stream.current.type in {"mul", "div", "floordiv", "mod"}:
            signs.append(next(self.stream))
            operands.append(self._parse_power())
        start = 0
        while start < len(operands):
            end = start
            while end < len(signs) and signs[end].type in {"floordiv", "mod"}:
                end += 1
            run = signs[start:end]
            if any(sign.type == "floordiv" for sign in run):
                operands[start : end + 1] = [floored(operands[start : end + 1], run)]
                signs[start:end] = []
                end = start
            start = end + 1
        fold(operands, signs, frozenset(("mul", "div", "mod")), computed)
        return operands[0]

    def _parse_power(self) -> nodes.Expr:
        left = self.parse_unary()
        while self.stream.current.type == "pow":
            line = next(self.stream).lineno
            left = nodes.Pow(left, self.parse_unary(), lineno=line)
        return left

    def parse_unary(self, with_filter: bool = True) -> nodes.Expr:
        token = self.stream.current
        node: nodes.Expr
        if token.type == "sub":
            next(self.stream)
            node = nodes.Neg(self.parse_unary(with_filter=False), lineno=token.lineno)
        elif token.type == "add":
            next(self.stream)
            node = nodes.Pos(self.parse_unary(with_filter=False), lineno=token.lineno)
        else:
            node = self.parse_postfix(self.parse_primary())
        return self._parse_filters(node) if with_filter else node

    def _parse_filters(self, node: nodes.Expr) -> nodes.Expr:
        while self.stream.current.type == "pipe":
            next(self.stream)
            node = self.parse_one_filter(node)
        return node

    def parse_one_filter(self, node: nodes.Expr | None) -> nodes.Expr:
        """A filter's name and arguments; `node` is None in a `filter` block."""
        token = self.stream.expect("name")
        name = token.value
        while self.stream.skip_if("dot"):
            name += f".{self.stream.expect('name').value}"
        args: list[nodes.Expr] = []
        kwargs: list[nodes.Keyword] = []
        if self.stream.current.type == "lparen":
            args, kwargs = self._parse_arguments()
        # Jinja2's own types: a filter block's filter has no node, keywords are pairs.
        return nodes.Filter(node, name, args, kwargs, None, None, lineno=token.lineno)

    def parse_primary(self, with_namespace: bool = False) -> nodes.Expr:
        del with_namespace
        token = self.stream.current
        aggregates = {
            "lparen": self._parse_group,
            "lbracket": self.parse_list,
            "lbrace": self.parse_dict,
        }
        if token.type in aggregates:
            return aggregates[token.type]()
        if token.type == "name":
            next(self.stream)
            return self._named(token.value, token.lineno)
        if token.type in {"string", "regex"}:
            next(self.stream)
            return nodes.Const(token.value, lineno=token.lineno)
        if token.type in {"integer", "float"}:
            next(self.stream)
            if not token.value.replace(".", "").isdigit():
                self.fail("Invalid numeric literal", token.lineno)
            return nodes.Const(number(float(token.value)), lineno=token.lineno)
        return self.fail("Unexpected expression token", token.lineno)

    def _named(self, word: str, line: int) -> nodes.Expr:
        if word in _CONSTANTS:
            return nodes.Const(_CONSTANTS[word], lineno=line)
        if self.python_words and word in _PYTHON_CONSTANTS:
            return nodes.Const(_PYTHON_CONSTANTS[word], lineno=line)
        if word[0].isdigit():
            self.fail("Invalid numeric literal", line)
        if word in {"if", "in", "is", "and", "or", "not", "else"}:
            self.fail(f'Unexpected expression token "{word}"', line)
        return nodes.Name(word, "load", lineno=line)

    def _parse_group(self) -> nodes.Expr:
        line = next(self.stream).lineno
        if self.stream.current.type == "rparen":
            self.fail("Parenthesized expression cannot be empty", line)
        node = self.parse_expression()
        while self.stream.skip_if("comma"):
            node = self.parse_expression()
        self.stream.expect("rparen")
        self._groups.add(id(node))
        return node

    def parse_list(self) -> nodes.List:
        line = self.stream.expect("lbracket").lineno
        items: list[nodes.Expr] = []
        while self.stream.current.type != "rbracket":
            items.append(self.parse_expression())
            if not self.stream.skip_if("comma"):
                break
            if self.stream.current.type == "rbracket":
                self.fail('Unexpected expression token "]"', line)
        self.stream.expect("rbracket")
        return nodes.List(items, lineno=line)

    def parse_dict(self) -> nodes.Dict:
        line = self.stream.expect("lbrace").lineno
        items: list[nodes.Pair] = []
        while self.stream.current.type != "rbrace" or items:
            key = next(self.stream)
            if key.type not in {"name", "string"}:
                self.fail("Dictionary keys must be strings or names", key.lineno)
            self.stream.expect("colon")
            const = nodes.Const(key.value, lineno=key.lineno)
            items.append(nodes.Pair(const, self.parse_expression(), lineno=line))
            if not self.stream.skip_if("comma"):
                break
        self.stream.expect("rbrace")
        return nodes.Dict(items, lineno=line)

    def parse_postfix(self, node: nodes.Expr) -> nodes.Expr:
        while True:
            token = self.stream.current
            if token.type == "dot":
                next(self.stream)
                name = self._parse_key()
                node = nodes.Getattr(node, name.value, "load", lineno=name.lineno)
            elif token.type == "lbracket":
                node = self._parse_lookup(node)
            elif token.type == "lparen":
                args, kwargs = self._parse_arguments()
                node = nodes.Call(node, args, kwargs, None, None, lineno=token.lineno)
            else:
                return node

    def _parse_key(self) -> Token:
        """What may follow a dot: a name, which may begin with a digit."""
        token = self.stream.current
        if token.type == "integer" and not token.value.isdigit():
            return next(self.stream)
        return self.stream.expect("name")

    def _parse_lookup(self, node: nodes.Expr) -> nodes.Expr:
        line = self.stream.expect("lbracket").lineno
        parts: list[nodes.Expr | None] = []
        current: nodes.Expr | None = None
        while self.stream.current.type != "rbracket":
            if self.stream.skip_if("colon"):
                parts.append(current)
                current = None
            elif current is not None:
                self.fail("A lookup takes one value", line)
            else:
                current = self.parse_expression()
        self.stream.expect("rbracket")
        parts.append(current)
        if len(parts) == 1 and current is not None:
            return nodes.Getitem(node, current, "load", lineno=line)
        if not 1 < len(parts) <= 3:
            self.fail("A lookup takes one value or a slice", line)
        start, stop, step = (*parts, None)[:3]
        return nodes.Getitem(
            node, nodes.Slice(start, stop, step, lineno=line), "load", lineno=line
        )

    def _parse_arguments(self) -> tuple[list[nodes.Expr], list[nodes.Keyword]]:
        self.stream.expect("lparen")
        args: list[nodes.Expr] = []
        kwargs: list[nodes.Keyword] = []
        while self.stream.current.type != "rparen":
            token = self.stream.current
            if token.type == "name" and self.stream.look().type == "assign":
                self.stream.skip(2)
                value = self.parse_expression()
                kwargs.append(nodes.Keyword(token.value, value, lineno=token.lineno))
            else:
                args.append(self.parse_expression())
            if not self.stream.skip_if("comma"):
                break
        self.stream.expect("rparen")
        return args, kwargs
