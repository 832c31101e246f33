"""What routes depend on runs on the event loop: a plain function gets a thread."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    path for folder in ("services", "shared") for path in (ROOT / folder).rglob("*.py")
)
METHODS = {"get", "post", "put", "delete", "patch", "head", "api_route"}


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def dependencies(tree: ast.AST) -> Iterator[str]:
    """The functions that stand in `Depends(…)`."""
    for call in calls(tree):
        if isinstance(call.func, ast.Name) and call.func.id == "Depends":
            yield from (arg.id for arg in call.args if isinstance(arg, ast.Name))


def is_route(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr in METHODS
        for decorator in function.decorator_list
    )


def threaded(sources: dict[str, str]) -> list[str]:
    """Routes and dependencies that FastAPI would run in a thread."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    needed = {name for tree in trees.values() for name in dependencies(tree)}
    return [
        f"{module}: {node.name}"
        for module, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (node.name in needed or is_route(node))
    ]


@pytest.mark.parametrize("function", ["figures", "route"])
def test_a_function_that_needs_a_thread_is_noticed(function: str) -> None:
    """The scan sees a plain dependency and a plain route, and no coroutine."""
    source = """
        def figures(request): ...
        async def caller(request): ...
        Served = Annotated[Figures, Depends(figures)]
        Caller = Annotated[Principal, Depends(caller)]
        @router.get("/")
        def route(): ...
        @router.get("/")
        async def other(): ...
    """
    assert f"m: {function}" in threaded({"m": inspect.cleandoc(source)})
    assert len(threaded({"m": inspect.cleandoc(source)})) == 2


def test_routes_and_dependencies_are_coroutines() -> None:
    """Each use of a thread costs a request as much as a small answer."""
    sources = {str(path.relative_to(ROOT)): path.read_text() for path in MODULES}
    assert not threaded(sources)
