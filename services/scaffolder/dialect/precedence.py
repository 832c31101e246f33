"""Folds operands and operators into one node, by JavaScript's precedence.

Nunjucks writes an expression out as JavaScript without parentheses, so JavaScript
decides the precedence. The parser collects operands and operators of one level.
"""

from collections.abc import Callable

from jinja2 import nodes
from jinja2.lexer import Token

COMPARISONS = {
    "eq": "==",
    "ne": "!=",
    "seq": "===",
    "sne": "!==",
    "lt": "<",
    "lteq": "<=",
    "gt": ">",
    "gteq": ">=",
}


def first(node: nodes.Expr) -> nodes.Expr:
    """The operand on the left of a binary node."""
    if isinstance(node, nodes.Compare):
        return node.expr
    return node.nodes[0] if isinstance(node, nodes.Concat) else node.left  # type: ignore[attr-defined]


def set_first(node: nodes.Expr, first: nodes.Expr) -> None:
    """Put another operand on the left."""
    if isinstance(node, nodes.Compare):
        node.expr = first
    elif isinstance(node, nodes.Concat):
        node.nodes[0] = first
    else:
        node.left = first  # type: ignore[attr-defined]


def fold(
    operands: list[nodes.Expr],
    signs: list[Token],
    level: frozenset[str],
    make: Callable[[nodes.Expr, Token, nodes.Expr], nodes.Expr],
) -> None:
    """Join the operands around the signs of one level, from left to right."""
    at = 0
    while at < len(signs):
        if signs[at].type in level:
            operands[at : at + 2] = [make(operands[at], signs[at], operands[at + 1])]
            del signs[at]
        else:
            at += 1


def compared(left: nodes.Expr, sign: Token, right: nodes.Expr) -> nodes.Expr:
    """A comparison of two operands."""
    operand = nodes.Operand(COMPARISONS[sign.type], right, lineno=sign.lineno)
    return nodes.Compare(left, [operand], lineno=sign.lineno)


def computed(left: nodes.Expr, sign: Token, right: nodes.Expr) -> nodes.Expr:
    """An arithmetic of two operands, or `~`."""
    if sign.type == "tilde":
        return nodes.Concat([left, right], lineno=sign.lineno)
    return _SIGNS[sign.type](left, right, lineno=sign.lineno)


def floored(operands: list[nodes.Expr], signs: list[Token]) -> nodes.Expr:
    """`a // b % c` is the floor of `a / b % c`: Nunjucks' own grouping."""
    node, at = operands[0], 0
    while at < len(signs) and signs[at].type == "mod":
        node = nodes.Mod(node, operands[at + 1], lineno=signs[at].lineno)
        at += 1
    while at < len(signs):
        line = signs[at].lineno
        node = nodes.Div(node, operands[at + 1], lineno=line)
        at += 1
        while at < len(signs) and signs[at].type == "mod":
            node = nodes.Mod(node, operands[at + 1], lineno=signs[at].lineno)
            at += 1
        node = nodes.FloorDiv(node, nodes.Const(1, lineno=line), lineno=line)
    return node


ORDERING = frozenset(("lt", "lteq", "gt", "gteq"))
FLAT = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.Mod, nodes.Concat)
_SIGNS: dict[str, type[nodes.BinExpr]] = {
    "add": nodes.Add,
    "sub": nodes.Sub,
    "mul": nodes.Mul,
    "div": nodes.Div,
    "mod": nodes.Mod,
}
