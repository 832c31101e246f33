"""Whoever writes files is known: foreign ones go through one mechanism (ADR 17).

The source of every service is searched for calls that write, unpack, copy trees or make
links. A new one belongs to `shared.guards.foreign_files`, or into `ALLOWED` with the
reason why no stranger chooses its path.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEARCHED = ("services", "shared", "deploy/cli", "deploy/embedded")
#: Modules whose business is unpacking, where names come out of the archive.
ARCHIVES = {"tarfile", "zipfile"}
METHODS = {
    "write_bytes",
    "write_text",
    "symlink_to",
    "hardlink_to",
    "extractall",
    "extract",
}
FUNCTIONS = {
    "os.link",
    "os.mkfifo",
    "os.mknod",
    "os.symlink",
    "shutil.copy",
    "shutil.copy2",
    "shutil.copyfile",
    "shutil.copyfileobj",
    "shutil.copytree",
    "shutil.move",
    "shutil.unpack_archive",
}
#: Commands of git that write a tree's files where the tree says.
GIT = {"archive", "checkout", "checkout-index", "read-tree", "worktree"}
MODES = set("wax+")
_OWN = "a path of the installation's own"
_LOG = "the log of a process, in the data folder"
_CONFINED = "a fixed name, or a hash, in the private folder of a confined process"
ALLOWED: dict[tuple[str, str], str] = {
    ("deploy/cli/backup.py", "import tarfile"): "members are written by the mechanism",
    ("deploy/cli/backup.py", "open"): "packs the sites into the operator's folder",
    ("deploy/cli/configuration_page.py", "write_text"): "a page of this repository",
    ("deploy/cli/dumps.py", "open"): "a collection's name, in the operator's folder",
    ("deploy/cli/dumps.py", "write_text"): "the manifest, in the operator's folder",
    ("deploy/cli/starting.py", "open"): _LOG,
    ("deploy/embedded/backing.py", "write_text"): _OWN,
    ("deploy/embedded/broker.py", "write_text"): _OWN,
    ("deploy/embedded/child.py", "os.open"): _LOG,
    ("deploy/embedded/engines.py", "open"): _LOG,
    ("deploy/embedded/rundata.py", "open"): _OWN,
    ("deploy/embedded/rundata.py", "os.open"): _OWN,
    ("deploy/embedded/rundata.py", "write_text"): _OWN,
    ("services/analytics/snapshot.py", "write_bytes"): _OWN,
    ("services/catalog/store/snapshots.py", "open"): _OWN,
    ("services/gateway/identity/keys.py", "os.open"): _OWN,
    ("services/gateway/policy/bundle.py", "import tarfile"): "packs our own policies",
    ("services/gateway/policy/bundle.py", "open"): "packs our own policies, in memory",
    ("services/search/alias.py", "open"): _OWN,
    ("services/techdocs/generator/build.py", "write_text"): _CONFINED,
    ("services/techdocs/generator/child.py", "write_text"): _CONFINED,
    ("services/techdocs/generator/configuration.py", "write_text"): (
        "replaces a file that lies in the sources, which hold no links"
    ),
    ("services/techdocs/generator/fork_server.py", "write_text"): "a sample of our own",
    ("services/techdocs/generator/job.py", "write_text"): _OWN,
    ("services/techdocs/generator/recorder.py", "write_text"): _CONFINED,
    ("shared/guards/foreign_files.py", "os.open"): "the mechanism itself",
    ("shared/guards/foreign_files.py", "os.symlink"): "the mechanism itself",
    ("shared/kit/documents/leases.py", "os.open"): _OWN,
    ("shared/kit/observability/tracing.py", "extract"): "headers, into a context",
    ("shared/kit/processes/watchdog.py", "open"): _OWN,
    ("shared/kit/processes/watchdog.py", "write_text"): _OWN,
}


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def _mode(node: ast.Call) -> str:
    """The mode of a call of any `open`; "r" where it has none."""
    position = 0 if isinstance(node.func, ast.Attribute) else 1
    keyword_modes = [word.value for word in node.keywords if word.arg == "mode"]
    texts = [*keyword_modes, *node.args[position : position + 2]]
    modes = [
        text.value
        for text in texts
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
    ]
    return next((mode for mode in modes if set(mode) <= set("rwaxbt+:gz")), "r")


def _writes(tree: ast.AST) -> Iterator[str]:
    """What in a module writes files, by the name of the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"import {a.name}" for a in node.names if a.name in ARCHIVES)
        elif isinstance(node, ast.ImportFrom) and node.module in ARCHIVES:
            yield f"import {node.module}"
        elif isinstance(node, ast.List | ast.Tuple):
            words = {x.value for x in node.elts if isinstance(x, ast.Constant)}
            yield from (f"git {word}" for word in GIT & words)
        elif isinstance(node, ast.Call):
            yield from _call(node)


def _call(node: ast.Call) -> Iterator[str]:
    name = _dotted(node.func)
    last = name.rpartition(".")[2]
    if name in FUNCTIONS or last in METHODS:
        yield last if last in METHODS else name
    elif last == "open" and name != "os.open" and MODES & set(_mode(node)):
        yield "open"
    elif name == "os.open":
        flags = {_dotted(x).rpartition(".")[2] for x in ast.walk(node) if _is_name(x)}
        # Flags that stand elsewhere may write.
        if not flags & {"O_RDONLY", "O_PATH"} or flags & {"O_CREAT", "O_TRUNC"}:
            yield "os.open"


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute | ast.Name)


def _found() -> set[tuple[str, str]]:
    return {
        (path.relative_to(ROOT).as_posix(), call)
        for folder in SEARCHED
        for path in sorted((ROOT / folder).rglob("*.py"))
        for call in _writes(ast.parse(path.read_text()))
    }


def test_every_module_that_writes_files_is_listed() -> None:
    """New code that writes files uses the guards, or is listed with a reason."""
    unknown = _found() - ALLOWED.keys()
    assert not unknown, (
        "Files of strangers are written by shared.guards.foreign_files (ADR 17); "
        f"what else writes is named in ALLOWED with its reason: {sorted(unknown)}"
    )


def test_every_listed_writer_still_writes() -> None:
    """A module that no longer writes files is not on the list."""
    assert not ALLOWED.keys() - _found()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import tarfile", "import tarfile"),
        ("from zipfile import ZipFile", "import zipfile"),
        ("archive.extractall(folder, filter='data')", "extractall"),
        ("shutil.copytree(a, b)", "shutil.copytree"),
        ("run_git(['archive', '--format=tar', tree])", "git archive"),
        ("run_git([*options, 'checkout', ref])", "git checkout"),
        ("(folder / name).write_text(text)", "write_text"),
        ("path.open('wb')", "open"),
        ("open(path, mode='a')", "open"),
        ("os.open(path, os.O_WRONLY | os.O_CREAT)", "os.open"),
        ("os.symlink(target, path)", "os.symlink"),
        ("gzip.open(path, 'wb')", "open"),
    ],
)
def test_the_search_finds_every_way_to_write_files(source: str, expected: str) -> None:
    """Reading is not found."""
    assert list(_writes(ast.parse(source))) == [expected]
    for reading in ("path.open('rb')", "open(path)", "os.open(path, os.O_RDONLY)"):
        assert list(_writes(ast.parse(reading))) == []
