"""Writes Git objects that `git add` cannot make: trees with any names and modes."""

import hashlib
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path

FILE, PROGRAM, LINK, FOLDER, MODULE = "100644", "100755", "120000", "40000", "160000"
#: Mode, name and object of one line of a tree.
Line = tuple[str, bytes, str]


class RawRepository:
    """A bare repository that accepts any object."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = ["git", "init", "-q", "--bare", "-b", "main", str(folder)]
        subprocess.run(command, check=True)

    def blob(self, content: bytes | str) -> str:
        raw = content.encode() if isinstance(content, str) else content
        return self._object("blob", raw)

    def tree(self, lines: Sequence[Line]) -> str:
        """Write a tree of these lines, in this order and without checks."""
        raw = b"".join(
            mode.encode() + b" " + name + b"\0" + bytes.fromhex(sha)
            for mode, name, sha in lines
        )
        return self._object("tree", raw)

    def commit(self, tree: str) -> str:
        """Commit a tree as the head of `main`."""
        who = "Ann <ann@example.org> 1700000000 +0000"
        text = f"tree {tree}\nauthor {who}\ncommitter {who}\n\nRaw\n"
        sha = self._object("commit", text.encode())
        head = self.folder / "refs" / "heads" / "main"
        head.write_text(f"{sha}\n")
        return sha

    def _object(self, kind: str, raw: bytes) -> str:
        whole = f"{kind} {len(raw)}".encode() + b"\0" + raw
        sha = hashlib.sha1(whole).hexdigest()
        path = self.folder / "objects" / sha[:2] / sha[2:]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zlib.compress(whole, 1))
        return sha


def escaping_tree(repository: RawRepository, outside: Path, name: str) -> str:
    """A tree whose archive makes the `data` filter of older Pythons write outside.

    Links through folders with the longest names make a path that is too long to be
    resolved; the same name is then a link and a folder.
    """
    long, steps, last = b"n" * 241, b"ponmlkjihgfedcba", b"e" * 253
    inner = repository.tree([(FILE, b"k", repository.blob(""))])
    lines: list[Line] = []
    for number in reversed(range(len(steps))):
        letter = steps[number : number + 1]
        lines = [(FOLDER, long, inner), (LINK, letter, repository.blob(long))]
        if number:
            inner = repository.tree(lines)
    deep = repository.tree([(LINK, last, repository.blob("../" * len(steps)))])
    for number in reversed(range(1, len(steps))):
        deep = repository.tree([(FOLDER, steps[number : number + 1], deep)])
    way = "/".join(chr(letter) for letter in steps)
    target = f"{way}/{last.decode()}/{'../' * 14}{str(outside).lstrip('/')}"
    file = repository.tree([(FILE, name.encode(), repository.blob("written\n"))])
    return repository.tree(
        [
            *lines,
            (FOLDER, steps[:1], deep),
            (LINK, b"z", repository.blob(target)),
            (FOLDER, b"z", file),
        ]
    )
