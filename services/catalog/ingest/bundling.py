"""One OpenAPI or AsyncAPI definition out of several files (`$openapi`, `$asyncapi`).

What a reference in another file means becomes a component of the bundle, and every
reference leads there. References inside the root file stay as they are: AsyncAPI 3
keeps `#/channels/…`. A path of OpenAPI, for which there is no component before 3.1,
is put in its place. Pure: `handlers.including` reads the files.
"""

import posixpath
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from services.catalog.descriptor.definitions import DEFINITION_LIMIT
from services.catalog.ingest.references import (
    Place,
    is_data,
    section_of,
    section_within,
)
from shared.contracts.errors import Invalid, TooLarge
from shared.guards.budgets import Budget
from shared.guards.numbers import whole_number
from shared.guards.yaml_text import YamlLimits, dump_yaml, load_yaml

LIMITS = YamlLimits(depth=100, nodes=500_000, aliases=5_000, expansion=100_000)
#: Elements of a bundle: what is put in its place may stand in many.
MOST_NODES = 1_000_000
#: Processor time of one bundle.
MOST_SECONDS = 20.0
#: Other files, in every spelling, that one file names.
MOST_TARGETS = 2_000
#: Longer bundles are JSON: writing YAML takes a second a megabyte.
LONGEST_YAML = 300_000
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_ABSENT: Any = object()

#: The file that a reference in a file leads to; absent: it stays as it is written.
Links = Mapping[tuple[str, str], str]


def read_part(body: bytes, label: str) -> Any:
    """A file of a definition as plain values.

    Raises:
        Invalid: naming the file, line and column.
    """
    return load_yaml(body, label=label, limits=LIMITS)


def targets_in(body: bytes, label: str) -> list[str]:
    """The other files that a file of a definition names, each once.

    Raises:
        Invalid: naming the file, line and column.
        TooLarge: if it names very many.
    """
    targets = outer_files(read_part(body, label))
    if len(targets) > MOST_TARGETS:
        raise TooLarge(f"{label}: refers to over {MOST_TARGETS:,} other files")
    return targets


def outer_files(document: Any) -> list[str]:
    """The other files that a document's references name, each once."""
    files: dict[str, None] = {}
    waiting: deque[tuple[Any, Place]] = deque([(document, ())])
    while waiting:
        value, place = waiting.popleft()
        for target in _references(value, place):
            file = target.partition("#")[0]
            if file:
                files[file] = None
        waiting.extend(_children(value, place))
    return list(files)


def bundle_of(name: str, root: str, bodies: Mapping[str, bytes], links: Links) -> str:
    """The text of the bundle of these files, as `bundled`."""
    files = {
        file: read_part(body, file.rpartition("/")[2]) for file, body in bodies.items()
    }
    return bundled(name, root, files, links)


def bundled(name: str, root: str, files: Mapping[str, Any], links: Links) -> str:
    """The text of the bundle.

    Args:
        name: The placeholder: `$openapi` or `$asyncapi`.
        root: The file that the placeholder names; a key of `files`.
        files: What each file holds.
        links: Which file each reference of each file leads to.

    Raises:
        Invalid: if the root is no such definition, if a reference leads nowhere, or
            if the bundle is too large.
    """
    document = files[root]
    kinds = ("asyncapi",) if name == "$asyncapi" else ("openapi", "swagger")
    if not isinstance(document, Mapping) or not any(kind in document for kind in kinds):
        raise Invalid(f"the file has no `{'` or `'.join(kinds)}` at its root")
    try:
        whole = _Bundle(root, files, links).document()
    except RecursionError as error:
        raise Invalid("the files are nested too deeply in each other") from error
    body = orjson.dumps(whole, option=orjson.OPT_INDENT_2)
    if len(body) > LONGEST_YAML or root.lower().endswith(".json"):
        return body.decode()
    return dump_yaml(whole)


class _Bundle:
    """One bundle in the making."""

    def __init__(self, root: str, files: Mapping[str, Any], links: Links) -> None:
        self._root = root
        self._files = files
        self._links = links
        self._names: dict[tuple[str, str], tuple[str, str]] = {}
        self._waiting: deque[tuple[str, str]] = deque()
        self._budget = Budget(
            "bundle", seconds=MOST_SECONDS, nodes=MOST_NODES, bytes=DEFINITION_LIMIT
        )
        self._opened: set[tuple[str, str]] = set()
        self._taken: dict[str, Counter[str]] = {}
        self._swagger = "swagger" in files[root]

    def document(self) -> dict[str, Any]:
        """The root with everything that it leads to."""
        whole: dict[str, Any] = self._copy(self._files[self._root], self._root, ())
        while self._waiting:
            file, pointer = self._waiting.popleft()
            section, name = self._names[file, pointer]
            value = self._copy(_at(self._files[file], pointer), file, (section, name))
            self._section(whole, section)[name] = value
        return whole

    def _section(self, whole: dict[str, Any], section: str) -> dict[str, Any]:
        at = whole if self._swagger else whole.setdefault("components", {})
        if not isinstance(at, dict):
            raise Invalid("components: must be an object")
        entries = at.setdefault(self._path(section), {})
        if not isinstance(entries, dict):
            raise Invalid(f"components.{section}: must be an object")
        return entries

    def _path(self, section: str) -> str:
        return "definitions" if self._swagger and section == "schemas" else section

    def _copy(self, value: Any, file: str, place: Place) -> Any:
        self._budget.pay_nodes()
        if isinstance(value, Mapping):
            pointer = value.get("$ref")
            if isinstance(pointer, str) and not is_data(place):
                return self._reference(value, pointer, file, place)
            return {
                key: self._copied_field(key, item, file, place)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._copy(item, file, (*place, "[]")) for item in value]
        if isinstance(value, str):
            self._budget.pay_bytes(len(value))
        return value

    def _copied_field(self, key: str, item: Any, file: str, place: Place) -> Any:
        self._budget.pay_bytes(len(key))
        is_mapping = key == "mapping" and place[-1:] == ("discriminator",)
        if is_mapping and isinstance(item, Mapping):
            return {
                name: self._pointer(target, file, "schemas")
                if isinstance(target, str) and _is_reference(target)
                else target
                for name, target in item.items()
            }
        return self._copy(item, file, (*place, key))

    def _reference(
        self, value: Mapping[str, Any], pointer: str, file: str, place: Place
    ) -> Any:
        siblings = {
            key: self._copied_field(key, item, file, place)
            for key, item in value.items()
            if key != "$ref"
        }
        target = self._target(pointer, file)
        section = section_within(place)
        if section == "" and target is not None and target[0] != self._root:
            return {**self._in_place(*target, place), **siblings}
        return {"$ref": self._pointer(pointer, file, section), **siblings}

    def _in_place(self, file: str, pointer: str, place: Place) -> dict[str, Any]:
        """What a reference means, for which there is no kind of component."""
        if (file, pointer) in self._opened:
            raise Invalid(f"{_shown(file, pointer)}: leads to itself")
        self._opened.add((file, pointer))
        value = self._copy(_at(self._files[file], pointer), file, place)
        self._opened.discard((file, pointer))
        if not isinstance(value, dict):
            raise Invalid(f"{_shown(file, pointer)}: must be an object")
        return value

    def _target(self, pointer: str, file: str) -> tuple[str, str] | None:
        """The file and the pointer in it; None: the reference stays as it is."""
        self._budget.pay_nodes()
        self._budget.pay_bytes(len(pointer))
        target, _, inner = pointer.partition("#")
        to = file if not target else self._links.get((file, target))
        if to is None or (inner and not inner.startswith("/")):
            return None
        if _at(self._files[to], inner) is _ABSENT:
            in_root = _at(self._files[self._root], inner) is not _ABSENT
            if not target and in_root:
                # A part that speaks of the whole: `#/channels/…` of an operation.
                return self._root, inner
            raise Invalid(f"{_shown(to, inner)}: leads nowhere; {file} refers to it")
        return to, inner

    def _pointer(self, pointer: str, file: str, section: str) -> str:
        target = self._target(pointer, file)
        if target is None:
            return pointer
        if target[0] == self._root:
            return f"#{target[1]}"
        if target not in self._names:
            self._names[target] = self._named(*target, section)
            self._waiting.append(target)
        kind, name = self._names[target]
        path = self._path(kind)
        step = name.replace("~", "~0").replace("/", "~1")
        return f"#/{path}/{step}" if self._swagger else f"#/components/{path}/{step}"

    def _named(self, file: str, pointer: str, section: str) -> tuple[str, str]:
        """The component that something becomes: as it is called, and free."""
        kind = section_of(pointer) or section or "schemas"
        if kind not in self._taken:
            self._taken[kind] = self._existing(kind)
        taken = self._taken[kind]
        base = _NOT_IN_NAMES.sub("-", _last(file, pointer)).strip("-") or "part"
        taken[base] += 1
        name = base if taken[base] == 1 else f"{base}_{taken[base]}"
        while name != base and name in taken:
            taken[base] += 1
            name = f"{base}_{taken[base]}"
        taken[name] = max(taken[name], 1)
        return kind, name

    def _existing(self, kind: str) -> Counter[str]:
        """The names of the components of a kind that the root has itself."""
        root = self._files[self._root]
        components = root if self._swagger else root.get("components")
        if not isinstance(components, Mapping):
            return Counter()
        names = components.get(self._path(kind))
        return Counter(list(names) if isinstance(names, Mapping) else ())


def _references(value: Any, place: Place) -> Iterator[str]:
    if not isinstance(value, Mapping) or is_data(place):
        return
    pointer = value.get("$ref")
    if isinstance(pointer, str):
        yield pointer
    mapping = value.get("mapping")
    if place[-1:] == ("discriminator",) and isinstance(mapping, Mapping):
        yield from (
            target
            for target in mapping.values()
            if isinstance(target, str) and _is_reference(target)
        )


def _children(value: Any, place: Place) -> Iterator[tuple[Any, Place]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, Mapping | list):
                yield item, (*place, key)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, Mapping | list):
                yield item, (*place, "[]")


def _is_reference(text: str) -> bool:
    """Whether a value of a discriminator's mapping is more than a schema's name."""
    file = text.partition("#")[0].lower()
    return "#" in text or file.endswith((".yaml", ".yml", ".json"))


def _at(document: Any, pointer: str) -> Any:
    value = document
    for step in pointer.split("/")[1:]:
        key = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and (
            (place := whole_number(key, most=len(value) - 1)) is not None
        ):
            value = value[place]
        else:
            return _ABSENT
    return value


def _last(file: str, pointer: str) -> str:
    if pointer:
        step = unquote(pointer.rpartition("/")[2])
        return step.replace("~1", "/").replace("~0", "~")
    return posixpath.basename(file.partition("?")[0]).partition(".")[0]


def _shown(file: str, pointer: str) -> str:
    return f"{file}#{pointer}" if pointer else file
