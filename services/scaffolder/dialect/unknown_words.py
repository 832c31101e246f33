"""Filters, tests, functions and methods that no value has: mistakes in any context."""

from collections.abc import Container, Iterable, Iterator

from jinja2 import nodes

from services.scaffolder.dialect.checks import CHECKS
from services.scaffolder.dialect.methods import METHOD_NAMES
from services.scaffolder.dialect.values import CYCLER_METHODS

_FUNCTIONS = frozenset(("range", "cycler", "joiner", "caller"))


def unknown_words(
    body: Iterable[nodes.Node], filters: Container[str], functions: Container[str]
) -> Iterator[tuple[nodes.Node, str]]:
    """Each node of a parsed template that names something unknown, and the reason.

    `functions` are known besides the dialect's own and what the template sets.
    """
    every = list(_nodes(body))
    own = {node.name for node in every if isinstance(node, nodes.Macro)} | {
        node.name
        for node in every
        if isinstance(node, nodes.Name) and node.ctx == "store"
    }
    for node in every:
        if isinstance(node, nodes.Filter) and node.name not in filters:
            yield node, f'Unknown template filter "{node.name}"'
        elif isinstance(node, nodes.Test) and node.name not in CHECKS:
            yield node, f'Unknown template test "{node.name}"'
        elif isinstance(node, nodes.Call):
            called = node.node
            if isinstance(called, nodes.Name):
                name = called.name
                if not (name in _FUNCTIONS or name in functions or name in own):
                    yield node, f'Unknown template function "{name}"'
            elif isinstance(called, nodes.Getattr) and not _is_method(called.attr):
                yield node, f'Unknown template method "{called.attr}"'


def _is_method(name: str) -> bool:
    return name in METHOD_NAMES or name in CYCLER_METHODS


def _nodes(body: Iterable[nodes.Node]) -> Iterator[nodes.Node]:
    """Every node in the order of the text, without recursion."""
    waiting = list(body)[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(list(node.iter_child_nodes())[::-1])
