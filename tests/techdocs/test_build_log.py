"""What stands in a build's log, however much was written."""

import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from services.techdocs.build_log import BuildLog, without_paths


@given(count=st.integers(0, 40), first=st.integers(0, 8), last=st.integers(0, 8))
def test_a_long_build_log_keeps_its_beginning_and_end(
    count: int, first: int, last: int
) -> None:
    """Every line is kept, or counted among those left out in the middle."""
    lines: list[str] = []
    log = BuildLog(lines.append, first, last)
    given_lines = [f"line {number}" for number in range(count)]
    for line in given_lines:
        log.add(line)
    log.end()
    if count <= first + last:
        assert lines == given_lines
        return
    left_out = f"… {count - first - last} lines left out"
    assert lines == [*given_lines[:first], left_out, *given_lines[count - last :]]


def test_the_build_log_has_no_path_of_the_server() -> None:
    """Files of the site have their paths in the site, others only their names."""
    shortened = without_paths(Path("/data/techdocs/sites/building/tmpx"))
    own = "/data/techdocs/sites/building/tmpx"
    assert shortened(f"File '{own}/source/docs/a b.md' is odd") == (
        "File 'docs/a b.md' is odd"
    )
    assert shortened(f"Building documentation to directory: {own}/out") == (
        "Building documentation to directory: out"
    )
    assert shortened(f"in {own}/tmp/docs_8x1/api/index.md:") == "in api/index.md:"
    assert sys.prefix not in shortened(f'File "{sys.prefix}/lib/x/markdown/core.py"')
    assert shortened("see /docs/default/component/x and https://a.example/tmp") == (
        "see /docs/default/component/x and https://a.example/tmp"
    )
