"""The walls around a build, tried from inside."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.techdocs.stages.generate import ROOT

PROBE = """
import pathlib, socket, sys
from services.techdocs.generator.confinement import confine, needed_to_run
inside, outside = map(pathlib.Path, sys.argv[1:3])
if not confine(read=needed_to_run(), write=[inside]):
    raise SystemExit(3)
(inside / "a.txt").write_text("x")
tried = {
    "read": lambda: (outside / "secret.txt").read_text(),
    "list": lambda: list(outside.iterdir()),
    "write": lambda: (outside / "new.txt").write_text("x"),
    "proc": lambda: pathlib.Path("/proc/1/environ").read_bytes(),
    "net": lambda: socket.create_connection(("127.0.0.1", int(sys.argv[3])), 1),
}
for name, attempt in tried.items():
    try:
        attempt()
    except PermissionError:
        print(name)
import xml.etree.ElementTree, json, colorsys
print("imports")
"""


def test_a_confined_process_reaches_only_what_it_was_given(
    tmp_path: Path, mongodb: str
) -> None:
    """It can neither read, write nor connect to anything else."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.txt").write_text("x")
    port = str(urlsplit(mongodb).port)
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(inside), str(outside), port],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )
    if done.returncode == 3:
        pytest.skip("this kernel has no Landlock: the limits of configuration remain")
    assert done.stdout.split() == ["read", "list", "write", "proc", "net", "imports"]
