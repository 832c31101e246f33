"""Parses Nunjucks' tags with Jinja2's parser.

Tags that load other templates (`include`, `import`, `extends`, `from`) are refused: a
template is one text. `raw` and `verbatim` are the lexer's.
"""

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from services.scaffolder.dialect.expressions import ExpressionParser

_LOADING = {"include", "import", "extends", "from"}
SWITCH = " switch"  # no template can write a name with a space


class TemplateParser(ExpressionParser):
    """Parses a whole template."""

    def parse_statement(self) -> nodes.Node | list[nodes.Node]:
        token = self.stream.current
        if token.type != "name":
            self.fail("A tag's name is expected", token.lineno)
        tags = {
            "if": self.parse_if,
            "for": self.parse_for,
            "set": self.parse_set,
            "macro": self.parse_macro,
            "call": self.parse_call_block,
            "filter": self.parse_filter_block,
            "switch": self._parse_switch,
            "block": self.parse_block,
        }
        if token.value in _LOADING:
            self.fail(f'Unsupported template-loading tag "{token.value}"', token.lineno)
        if token.value not in tags:
            self.fail(f'Unknown template tag "{token.value}"', token.lineno)
        self._tag_stack.append(token.value)
        try:
            return tags[token.value]()
        finally:
            self._tag_stack.pop()

    def parse_if(self) -> nodes.If:
        line = next(self.stream).lineno
        test = self.parse_expression()
        body = self._parse_body("name:elif", "name:elseif", "name:else", "name:endif")
        otherwise: list[nodes.Node] = []
        if self.stream.current.value in {"elif", "elseif"}:
            otherwise = [self.parse_if()]
        elif next(self.stream).value == "else":
            otherwise = self._parse_body("name:endif")
            next(self.stream)
        return nodes.If(test, body, [], otherwise, lineno=line)

    def parse_for(self) -> nodes.For:
        line = next(self.stream).lineno
        names = [self._parse_target()]
        while self.stream.skip_if("comma"):
            names.append(self._parse_target())
        self.stream.expect("name:in")
        iterated = self.parse_expression()
        target = nodes.Tuple(list[nodes.Expr](names), "store", lineno=line)
        body = self._parse_body("name:else", "name:endfor")
        otherwise: list[nodes.Node] = []
        if next(self.stream).value == "else":
            otherwise = self._parse_body("name:endfor")
            next(self.stream)
        return nodes.For(target, iterated, body, otherwise, None, False, lineno=line)

    def parse_set(self) -> nodes.Assign | nodes.AssignBlock:
        line = next(self.stream).lineno
        names = [self._parse_target()]
        while self.stream.skip_if("comma"):
            names.append(self._parse_target())
        target = nodes.Tuple(list[nodes.Expr](names), "store", lineno=line)
        if self.stream.skip_if("assign"):
            return nodes.Assign(target, self.parse_expression(), lineno=line)
        body = self._parse_body("name:endset")
        next(self.stream)
        return nodes.AssignBlock(target, None, body, lineno=line)

    def parse_macro(self) -> nodes.Macro:
        line = next(self.stream).lineno
        name = self._parse_target().name
        args, defaults = self._parse_parameters()
        body = self._parse_body("name:endmacro")
        next(self.stream)
        return nodes.Macro(name, args, defaults, body, lineno=line)

    def parse_call_block(self) -> nodes.CallBlock:
        line = next(self.stream).lineno
        args: list[nodes.Name] = []
        defaults: list[nodes.Expr] = []
        if self.stream.current.type == "lparen":
            args, defaults = self._parse_parameters()
        call = self.parse_expression()
        if not isinstance(call, nodes.Call):
            self.fail("A call block needs a macro's call", line)
        body = self._parse_body("name:endcall")
        next(self.stream)
        return nodes.CallBlock(call, args, defaults, body, lineno=line)

    def parse_filter_block(self) -> nodes.FilterBlock:
        line = next(self.stream).lineno
        chosen = self.parse_one_filter(None)
        body = self._parse_body("name:endfilter")
        next(self.stream)
        return nodes.FilterBlock(body, chosen, lineno=line)

    def parse_block(self) -> nodes.Block:
        line = next(self.stream).lineno
        name = self._parse_target().name
        body = self._parse_body("name:endblock")
        next(self.stream)
        self.stream.skip_if("name")
        return nodes.Block(name, body, False, False, lineno=line)

    def _parse_switch(self) -> nodes.With:
        """A `switch` becomes a chain of ifs: `===` on a subject evaluated once."""
        line = next(self.stream).lineno
        subject = self.parse_expression()
        ends = ("name:case", "name:default", "name:endswitch")
        before = self._parse_body(*ends)
        if any(not _blank(node) for node in before):
            self.fail("Switch content must begin with case or default", line)
        cases: list[tuple[list[nodes.Expr], list[nodes.Node]]] = []
        waiting: list[nodes.Expr] = []
        while self.stream.skip_if("name:case"):
            waiting.append(self.parse_expression())
            body = self._parse_body(*ends)
            if body:
                cases.append((waiting, body))
                waiting = []
        chain: list[nodes.Node] = []
        if self.stream.skip_if("name:default"):
            chain = self._parse_body("name:endswitch")
        self.stream.expect("name:endswitch")
        # Cases without a body that stand last fall through to the default.
        name = f"{SWITCH} {line} {getattr(line, 'column', 0)}"
        for values, body in reversed(cases):
            chain = [nodes.If(_any_of(name, values), body, [], chain, lineno=line)]
        target = nodes.Name(name, "store", lineno=line)
        return nodes.With([target], [subject], chain, lineno=line)

    def _parse_target(self) -> nodes.Name:
        token = self.stream.expect("name")
        return nodes.Name(token.value, "store", lineno=token.lineno)

    def _parse_parameters(self) -> tuple[list[nodes.Name], list[nodes.Expr]]:
        """Names in order; the last `len(defaults)` of them have a default."""
        self.stream.expect("lparen")
        plain: list[nodes.Name] = []
        named: list[nodes.Name] = []
        defaults: list[nodes.Expr] = []
        while self.stream.current.type != "rparen":
            target = self._parse_target()
            if self.stream.skip_if("assign"):
                named.append(target)
                defaults.append(self.parse_expression())
            else:
                plain.append(target)
            if not self.stream.skip_if("comma"):
                break
        self.stream.expect("rparen")
        return plain + named, defaults

    def _parse_body(self, *ends: str) -> list[nodes.Node]:
        line = self.stream.current.lineno
        if self.stream.current.type != "block_end":
            self.fail(f'Unexpected "{self.stream.current.value}"', line)
        next(self.stream)
        body = self.subparse(ends)
        if self.stream.current.type == "eof":
            expected = ends[-1].removeprefix("name:")
            raise TemplateSyntaxError(f"Missing {expected} tag", line)
        return body


def _any_of(name: str, values: list[nodes.Expr]) -> nodes.Expr:
    tests: list[nodes.Expr] = [
        nodes.Compare(
            nodes.Name(name, "load", lineno=value.lineno),
            [nodes.Operand("===", value, lineno=value.lineno)],
            lineno=value.lineno,
        )
        for value in values
    ]
    chosen = tests[0]
    for test in tests[1:]:
        chosen = nodes.Or(chosen, test, lineno=test.lineno)
    return chosen


def _blank(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Output) and all(
        isinstance(part, nodes.TemplateData) and not part.data.strip()
        for part in node.nodes
    )
