"""Reads a Dockerfile into its stages, and runs their steps in folders, without Docker.

A stage is a folder that stands for the image's root: paths of the recipe that begin
with one of `OWN` lie in it. What an image gets from its distribution (`RUN apt-get`,
`RUN useradd`) is read but not run: those steps are told by their first word.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
#: Folders of the recipe that exist nowhere but in the image.
OWN = ("/callboard", "/opt/uv", "/data")
SYSTEM = ("apt-get", "useradd")
OWN_PATH = re.compile(r"(?<![\w./-])(?=(?:{})(?![\w-]))".format("|".join(OWN)))
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: `RUN`, `COPY` and so on, and what stands behind it."""

    word: str
    rest: str


@dataclass(slots=True)
class Stage:
    """Instructions from one FROM to the next, in order."""

    name: str
    base: str
    steps: list[Step] = field(default_factory=list)


def steps_of(text: str) -> Iterator[Step]:
    """The instructions: comments dropped, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield Step(word.upper(), " ".join(rest.split()))


def stages_of(text: str) -> dict[str, Stage]:
    """The stages by name; the last one without a name is called `final`."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for step in steps_of(text):
        if step.word == "FROM":
            base, _, name = step.rest.partition(" AS ")
            stage = stages.setdefault(name or "final", Stage(name or "final", base))
        elif stage is not None:
            stage.steps.append(step)
    return stages


@dataclass(slots=True)
class Image:
    """What a stage has come to: its root folder and how it is to be run."""

    root: Path
    environment: dict[str, str]
    packages: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    @property
    def code(self) -> Path:
        """The working folder of every step."""
        return self.root / "callboard"

    def at(self, text: str) -> str:
        """The recipe's own paths in `text`, as they lie here."""
        return OWN_PATH.sub(str(self.root), text)


class Recipe:
    """A Dockerfile's build with one set of arguments, below one folder."""

    def __init__(
        self, root: Path, file: Path, folder: Path, path: str, **arguments: str
    ) -> None:
        self._root = root
        self._folder = folder
        self._path = path
        self._arguments = arguments
        self._ignored = _ignored(root / ".dockerignore")
        self._built: dict[str, Image] = {}
        self._stages = stages_of(file.read_text())

    def build(self, name: str = "final") -> Image:
        """Run a stage's steps, once, after those of its base."""
        if name not in self._built:
            self._built[name] = image = self._begin(name)
            image.code.mkdir(exist_ok=True)
            for step in self._stages[name].steps:
                self._do(step, image)
        return self._built[name]

    def _begin(self, name: str) -> Image:
        base = self._filled(self._stages[name].base, self._arguments)
        root = self._folder / name
        if base not in self._stages:
            root.mkdir(parents=True)
            return Image(root, {"PATH": self._path})
        below = self.build(base)
        shutil.copytree(below.root, root, symlinks=True)
        return Image(root, dict(below.environment), list(below.packages))

    def _do(self, step: Step, image: Image) -> None:
        match step.word:
            case "RUN":
                self._run(step.rest, image)
            case "COPY":
                words = self._filled(step.rest, self._arguments).split()
                self._copy(words, image)
            case "ENV":
                variables = {**image.environment, **self._arguments}
                for pair in shlex.split(step.rest):
                    key, _, value = pair.partition("=")
                    image.environment[key] = self._filled(image.at(value), variables)
            case "CMD":
                image.command = json.loads(step.rest)
            case "HEALTHCHECK":
                image.health = json.loads(step.rest.partition(" CMD ")[2])
            case "VOLUME":
                (image.root / step.rest.lstrip("/")).mkdir(exist_ok=True)
            case "WORKDIR" | "ARG" | "LABEL" | "EXPOSE" | "USER":
                pass
            case other:
                raise AssertionError(f"an instruction that is not known: {other}")

    def _run(self, command: str, image: Image) -> None:
        if command.startswith(SYSTEM):
            match = re.search(r"apt-get install ([^&]*)", command)
            words = match[1].split() if match else []
            image.packages += [word for word in words if not word.startswith("-")]
            return
        subprocess.run(
            ["sh", "-ec", image.at(command)],
            cwd=image.code,
            env={**_outside(), **image.environment, **self._arguments},
            check=True,
            timeout=300,
        )

    def _copy(self, words: list[str], image: Image) -> None:
        flags = dict(w[2:].partition("=")[::2] for w in words if w.startswith("--"))
        source, target = [word for word in words if not word.startswith("--")]
        if stage := flags.get("from"):
            origin, ignore = self.build(stage).root / source.lstrip("/"), None
        else:
            origin, ignore = self._root / source, self._ignore
        into = image.code / target / (origin.name if target.endswith("/") else "")
        if origin.is_dir():
            shutil.copytree(
                origin, into, symlinks=True, ignore=ignore, dirs_exist_ok=True
            )
        else:
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(origin, into)

    def _ignore(self, folder: str, names: list[str]) -> set[str]:
        below = Path(folder).relative_to(self._root)
        return {
            name
            for name in names
            for pattern in self._ignored
            if fnmatch.fnmatch(str(below / name), pattern) or name == pattern
        }

    def _filled(self, text: str, variables: Mapping[str, str]) -> str:
        return VARIABLE.sub(lambda m: variables.get(m[1] or m[2], m[0]), text)


def _outside() -> dict[str, str]:
    """How this machine reaches packages: no recipe's business."""
    prefixes = ("PIP_", "UV_", "SSL_", "HTTP_", "HTTPS_", "NO_PROXY", "HOME", "LANG")
    return {k: v for k, v in os.environ.items() if k.upper().startswith(prefixes)}


def _ignored(file: Path) -> list[str]:
    lines = [line.strip() for line in file.read_text().splitlines()]
    patterns = [line for line in lines if line and not line.startswith(("#", "!"))]
    return [line.removeprefix("**/") for line in patterns if line != "*"]
