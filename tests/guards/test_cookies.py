"""Cookies are read in one pass, by one reader, whatever they hold."""

import ast
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from shared.guards.cookies import are_plain, cookie_in, plain_cookies
from shared.kit.http.apps import make_app
from tests.costs import limit_processor_time

ROOT = Path(__file__).parents[2]
#: Who reads cookies in another way, and why that is harmless.
OTHER_READERS: dict[str, str] = {}
PLAIN = st.text("abcXYZ019_-.", min_size=1, max_size=12)
LONG = 30_000
#: Values that a reader of quoted texts looks through again and again.
COSTLY = {
    "escaped quotes": 'a="' + '\\"' * LONG + '"',
    "octal escapes": 'a="' + "\\101" * (LONG // 2) + '"',
    "backslashes": 'a="' + "\\" * LONG * 2 + '"',
    "many quoted": ";".join('a="\\""' for _ in range(LONG // 4)),
    "semicolons": ";" * LONG * 2,
    "equals": "=" * LONG * 2,
    "spaces": "a" + " " * LONG * 2 + "b",
    "names": ";".join(f"a{number}=" for number in range(LONG // 4)),
}


@given(st.dictionaries(PLAIN, PLAIN, max_size=8))
def test_plain_cookies_are_read_as_python_reads_them(pairs: dict[str, str]) -> None:
    """Names and values, wherever they stand."""
    header = "; ".join(f"{name}={value}" for name, value in pairs.items())
    expected = {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    assert {name: cookie_in(header, name) for name in expected} == expected
    assert cookie_in(header, "missing!") is None


@given(st.text('ab=;"\\ 1', max_size=60))
def test_quoted_values_are_removed_from_forwarded_cookies(header: str) -> None:
    """A cookie without quotes stays as it is."""
    given_headers = [(b"cookie", header.encode()), (b"cookie", b"a=b"), (b"x", b'"')]
    plain_headers = plain_cookies(given_headers)
    assert are_plain(plain_headers)
    assert (b"x", b'"') in plain_headers
    cookies = dict(plain_headers)[b"cookie"].decode()
    pairs = [pair for pair in [*header.split(";"), "a=b"] if '"' not in pair]
    for pair in pairs:
        name, equals, _ = pair.strip().partition("=")
        if equals:
            assert cookie_in(cookies, name) == cookie_in(";".join(pairs), name)


@pytest.mark.parametrize("header", COSTLY.values(), ids=COSTLY)
def test_cookie_headers_are_read_in_linear_time(header: str) -> None:
    """It takes some milliseconds; quadratic readers take seconds."""
    with limit_processor_time(0.3):
        cookie_in(header, "callboard_session")
        cookie_in(header, "a")
        plain_cookies([(b"cookie", header.encode())])


@pytest.fixture
def app() -> FastAPI:
    """A service's app with a route that asks for no cookie."""
    sample_app = make_app("sample")

    @sample_app.get("/sample")
    async def sample() -> dict[str, str]:
        return {}

    return sample_app


@pytest.mark.parametrize("header", COSTLY.values(), ids=COSTLY)
async def test_every_service_reads_cookie_headers_fast(
    app: FastAPI, header: str
) -> None:
    """FastAPI parses the cookies of every request, also where none are needed."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
        with limit_processor_time(0.8):
            for path in ("/sample", "/healthz", "/missing"):
                answer = await client.get(path, headers={"cookie": header})
                assert answer.status_code in (200, 404)


def test_no_other_module_reads_cookies() -> None:
    """The test finds new uses of the frameworks' readers."""
    readers = {
        path.relative_to(ROOT).as_posix()
        for place in ("services", "shared", "deploy/cli", "deploy/embedded")
        for path in (ROOT / place).rglob("*.py")
        if _reads_cookies(ast.parse(path.read_text("utf-8")))
    }
    assert readers == set(OTHER_READERS)


def _reads_cookies(tree: ast.AST) -> bool:
    """Whether `http.cookies`, `.cookies` or a parameter `Cookie()` is in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "cookies":
            return True
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        if any(_is_reader(name) for name in names):
            return True
    return False


def _is_reader(name: str) -> bool:
    readers = ("Cookie", "cookie_parser", "APIKeyCookie", "SessionMiddleware")
    return name.startswith("http.cookies") or name.rpartition(".")[2] in readers
