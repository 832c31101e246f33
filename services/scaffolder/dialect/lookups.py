"""What a template looks up in its context by names that do not depend on values."""

from collections.abc import Iterable

from jinja2 import nodes

#: The tests and the filters of what may be empty.
_GUARDS = frozenset({"defined", "undefined", "default", "d"})


def lookups(body: Iterable[nodes.Node]) -> list[tuple[str, str]]:
    """Each name of the context with the key that is looked up in its value.

    Names that the template sets itself are left out, and lookups that it gives another
    value or a test, because they may be empty: `a.b or 1`, `a.b if a.b`.
    """
    own: set[str] = set()
    reads: list[tuple[str, str]] = []
    tested: set[tuple[str, str]] = set()
    pending = [(node, False) for node in body][::-1]
    while pending:
        node, is_guarded = pending.pop()
        if isinstance(node, nodes.Name) and node.ctx != "load":
            own.add(node.name)
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            name, key = node.node, _key(node)
            if isinstance(name, nodes.Name) and key:
                read = (name.name, key)
                tested.add(read) if is_guarded else reads.append(read)
        operand = _guarded_operand(node)
        children = list(node.iter_child_nodes())[::-1]
        pending += [(child, is_guarded or child is operand) for child in children]
    return [read for read in reads if read[0] not in own and read not in tested]


def _key(node: nodes.Getattr | nodes.Getitem) -> str:
    """The key of a lookup; "" if a value decides it."""
    if isinstance(node, nodes.Getattr):
        return str(node.attr)
    value = node.arg.value if isinstance(node.arg, nodes.Const) else None
    return value if isinstance(value, str) else ""


def _guarded_operand(node: nodes.Node) -> nodes.Node | None:
    """The operand that may be empty by what stands beside it."""
    if isinstance(node, nodes.Or):
        return node.left
    if isinstance(node, nodes.CondExpr):
        return node.test
    if isinstance(node, nodes.Test | nodes.Filter) and node.name in _GUARDS:
        return node.node
    return None
