"""A secret, what authors make of it, and a look at whether anything of it is seen."""

import base64
from typing import Any

from tests.scaffolder.calls import say, step

SECRET = "Glockenspiel-4711/x"
#: One whose letters are all good in a path.
WORD = "Glockenspiel-4711x"
DERIVED = (
    SECRET,
    SECRET.upper(),
    SECRET.lower(),
    SECRET[::-1],
    SECRET[2:14],
    base64.b64encode(f"ann:{SECRET}".encode()).decode()[8:28],
)
PAGES = [
    {
        "properties": {
            "name": {"type": "string"},
            "pin": {"type": "string", "ui:widget": "password"},
            "deep": {
                "properties": {"key": {"$ref": "#/definitions/key"}},
            },
        },
        "definitions": {"key": {"type": "string", "ui:field": "Secret"}},
    }
]


def shown_nowhere(everything: str) -> None:
    for text in DERIVED:
        assert text not in everything


def flows(source: str) -> list[Any]:
    """Steps that do what authors do with the secret that `source` names."""
    return [
        say(f"plain ${{{{ {source} }}}} end", "plain"),
        say(f"up ${{{{ {source} | upper }}}} end"),
        say(f"back ${{{{ {source} | reverse }}}} end"),
        say(f"part ${{{{ {source}.slice(2, 14) }}}} end"),
        say(f"json ${{{{ {{a: [{source}]}} | dump }}}} end"),
        say(f"one by one {{% for c in {source} %}}${{{{ c }}}},{{% endfor %}} end"),
        say(
            "round ${{ each.value.k | upper }} of ${{ each.value.n }}",
            "rounds",
            each=[{"n": "first", "k": f"${{{{ {source} }}}}"}],
        ),
        step(
            "catalog:write",
            "write",
            entity={"k": f"${{{{ {source} }}}}", "l": f"${{{{ {source} | lower }}}}"},
        ),
        step("debug:log", "list", listWorkspace="with-contents"),
        step("fs:delete", "boom", files=[f"/${{{{ {source} | reverse }}}}"]),
    ]
