"""What strangers send to the catalog: bounded before it is worked out."""

import time
from pathlib import Path
from typing import Any

import pytest

from services.catalog.descriptor_checks import LocalReading
from services.catalog.handlers.including import MOST_BYTES, MOST_FILES, include
from services.catalog.handlers.parsing import SHORT, compute
from services.catalog.model import LocationRef
from services.catalog.query.cursors import decode_cursor
from services.catalog.query.filters import parse_filters
from services.catalog.query.predicates import parse_predicate
from shared.contracts.errors import CallboardError, Invalid, NotFound, TooLarge
from shared.guards.yaml_text import load_documents


async def test_a_long_descriptor_is_parsed_in_another_process() -> None:
    """The process whose event loop answers requests spends almost no time on it."""
    one = b"kind: Component\nmetadata:\n  name: a\n  tags: [b, c, d, e, f]\n---\n"
    body = one * 30_000
    start = time.process_time()
    documents = await compute(load_documents, body)
    taken = time.process_time() - start
    assert len(documents) == 30_000
    assert documents[7] == documents[0] == load_documents(one)[0]
    start = time.process_time()
    load_documents(body)
    assert taken < (time.process_time() - start) / 2


async def test_errors_of_a_long_descriptor_name_line_and_column() -> None:
    """As with a short descriptor: the rule, line and column."""
    body = b"a: 1\n" + b"#" * SHORT + b"\na: 2\n"
    with pytest.raises(Invalid, match=r"unique: 'a' at line 3, column 1"):
        await compute(load_documents, body)
    short = b"a: 1\na: 2\n"
    with pytest.raises(Invalid, match=r"unique: 'a' at line 2, column 1"):
        await compute(load_documents, short)


async def test_missing_files_count_toward_the_file_limit(tmp_path: Path) -> None:
    """Each missing file costs its source a request, however many are named."""
    base = LocationRef("file", str(tmp_path / "catalog-info.yaml"))
    targets = [("$text", f"none-{number}.txt") for number in range(MOST_FILES + 5)]
    included = await include(targets, base, LocalReading(tmp_path))  # type: ignore[arg-type]
    errors = [type(included.contents[target]) for target in targets]
    assert errors == [NotFound] * MOST_FILES + [TooLarge] * 5


async def test_included_files_share_the_byte_limit_of_a_descriptor(
    tmp_path: Path,
) -> None:
    """A file that exceeds the limit is refused, and later files are not read."""
    base = LocationRef("file", str(tmp_path / "catalog-info.yaml"))
    targets = [("$text", f"{number}.txt") for number in range(4)]
    for _, name in targets:
        (tmp_path / name).write_bytes(b"x" * (MOST_BYTES * 2 // 5))
    included = await include(targets, base, LocalReading(tmp_path))  # type: ignore[arg-type]
    kinds = [type(included.contents[target]) for target in targets]
    assert kinds == [str, str, TooLarge, TooLarge]


@pytest.mark.parametrize(
    "query",
    [
        {"$any": [{"kind": f"c{n}"} for n in range(2001)]},
        {f"metadata.labels.l{n}": "x" for n in range(2001)},
        {"kind": {"$in": [str(n) for n in range(50_000)]}},
        {"$all": [{"$any": [{"kind": "a"}] * 100}] * 100},
    ],
)
def test_a_query_of_thousands_of_terms_is_refused(query: dict[str, Any]) -> None:
    """It would delay all other queries; long lists of values are looked up."""
    with pytest.raises(Invalid, match="query must not have more than 2000 parts"):
        parse_predicate(query)
    parse_predicate({"kind": {"$in": [str(n) for n in range(20_000)]}})


def test_filters_share_one_limit() -> None:
    """However they are divided among parameters and commas."""
    for filters in (["kind=a"] * 2001, [",".join(["kind=a"] * 2001)]):
        with pytest.raises(Invalid, match="more than 2000 statements"):
            parse_filters(filters)
    parse_filters(["kind=a"] * 2000)


@pytest.mark.parametrize("text", ["AAAA", "A" * 50_000, "W1tb", "bnVsbA==", "MQ=="])
def test_a_forged_cursor_is_refused(text: str) -> None:
    """Whatever the cursor holds once it is unpacked."""
    with pytest.raises(CallboardError, match="Malformed cursor"):
        decode_cursor(text)
