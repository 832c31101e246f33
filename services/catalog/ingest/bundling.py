"""One OpenAPI or AsyncAPI definition out of several files (`$openapi`, `$asyncapi`).

What a reference in another file means becomes a component of the bundle, and every
reference leads there. References inside the root file stay as they are: AsyncAPI 3
keeps `#/channels/…`. A path of OpenAPI, for which there is no component before 3.1,
is put in its place. A pointer may pass through references. Pure: `handlers.including`
reads the files.
"""

import posixpath
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from services.catalog.descriptor.definitions import DEFINITION_LIMIT
from services.catalog.ingest.bundle_sections import Sections
from services.catalog.ingest.references import (
    IN_PLACE,
    Links,
    Place,
    is_data,
    is_reference,
    place_of,
    section_of,
    section_within,
)
from shared.contracts.errors import Invalid, TooLarge
from shared.guards.budgets import Budget
from shared.guards.json_pointers import (
    ABSENT,
    escaped_step,
    last_name,
    step_into,
    value_at,
)
from shared.guards.yaml_scalars import WrittenNumber, resolve
from shared.guards.yaml_text import YamlLimits, dump_yaml, load_yaml

LIMITS = YamlLimits(depth=100, nodes=500_000, aliases=5_000, expansion=100_000)
#: Elements of a bundle: a part that is put in its place may occur many times.
MOST_NODES = 1_000_000
#: Processor time of one bundle.
MOST_SECONDS = 20.0
#: Other files, in every spelling, that one file names.
MOST_TARGETS = 2_000
#: References that one pointer passes through.
MOST_HOPS = 50
#: Longer bundles are JSON: writing YAML takes a second a megabyte.
LONGEST_YAML = 300_000
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def read_part(body: bytes, label: str) -> Any:
    """A file of a definition as plain values; numbers keep how they are written.

    Raises:
        Invalid: naming the file, line and column.
    """
    return load_yaml(body, label=label, limits=LIMITS, keep_written="numbers")


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
    queue: deque[tuple[Any, Place]] = deque([(document, ())])
    while queue:
        value, place = queue.popleft()
        for target in _references(value, place):
            file = target.partition("#")[0]
            if file:
                files[file] = None
        queue.extend(_children(value, place))
    return list(files)


def bundle_of(name: str, root: str, bodies: Mapping[str, bytes], links: Links) -> str:
    """The text of the bundle of these files, as `bundle_files`."""
    files = {
        file: read_part(body, file.rpartition("/")[2]) for file, body in bodies.items()
    }
    return bundle_files(name, root, files, links)


def bundle_files(name: str, root: str, files: Mapping[str, Any], links: Links) -> str:
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
    body = orjson.dumps(whole, default=_json_number, option=orjson.OPT_INDENT_2)
    if len(body) > LONGEST_YAML or root.lower().endswith(".json"):
        return body.decode()
    return dump_yaml(whole)


class _Bundle:
    """One bundle in the making."""

    def __init__(self, root: str, files: Mapping[str, Any], links: Links) -> None:
        self._names: dict[tuple[str, str], tuple[str, str]] = {}
        self._queue: deque[tuple[str, str]] = deque()
        self._budget = Budget(
            "bundle", seconds=MOST_SECONDS, nodes=MOST_NODES, bytes=DEFINITION_LIMIT
        )
        sections = Sections(root, files, dict(links), self._budget)
        sections.take_in()
        self._root = root
        self._files = {**files, root: sections.document}
        self._links = sections.links
        self._moved_pointers = sections.moved
        self._opened: set[tuple[str, str]] = set()
        self._name_counts: dict[str, Counter[str]] = {}
        self._swagger = "swagger" in files[root]

    def document(self) -> dict[str, Any]:
        """The root with everything that it leads to."""
        self._name_own()
        whole: dict[str, Any] = self._copy(self._files[self._root], self._root, ())
        while self._queue:
            file, pointer = self._queue.popleft()
            section, name = self._names[file, pointer]
            value = self._copy(
                value_at(self._files[file], pointer), file, (section, name)
            )
            self._section(whole, section)[name] = value
        return whole

    def _section(self, whole: dict[str, Any], section: str) -> dict[str, Any]:
        holder = whole if self._swagger else whole.setdefault("components", {})
        if not isinstance(holder, dict):
            raise Invalid("components: must be an object")
        entries = holder.setdefault(self._path(section), {})
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
                if isinstance(target, str) and is_reference(target)
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
            raise Invalid(f"{_reference_text(file, pointer)}: leads to itself")
        self._opened.add((file, pointer))
        value = self._copy(value_at(self._files[file], pointer), file, place)
        self._opened.discard((file, pointer))
        if not isinstance(value, dict):
            raise Invalid(f"{_reference_text(file, pointer)}: must be an object")
        return value

    def _target(self, pointer: str, file: str) -> tuple[str, str] | None:
        """The file and the pointer in it; None: the reference stays as it is."""
        self._budget.pay_nodes()
        self._budget.pay_bytes(len(pointer))
        place = self._place_of(pointer, file)
        if place is None:
            return None
        end = self._end(*place)
        if end is None and pointer.startswith("#"):
            # A part that refers to the whole: `#/channels/…` of an operation.
            end = self._end(self._root, place[1])
        if end is None:
            raise Invalid(
                f"{_reference_text(*place)}: leads nowhere; {file} refers to it"
            )
        return end

    def _place_of(self, pointer: str, file: str) -> tuple[str, str] | None:
        """The file and the pointer in it, whether anything is there or not."""
        place = place_of(pointer, file, self._links)
        if place is None:
            return None
        target_file, inner = place
        for start, new_start in self._moved_pointers.get(target_file, {}).items():
            if f"{inner}/".startswith(f"{start}/"):
                return self._root, new_start + inner[len(start) :]
        return target_file, inner

    def _end(self, file: str, pointer: str) -> tuple[str, str] | None:
        """Where a pointer ends, through the references on its way; None: nowhere."""
        for _ in range(MOST_HOPS):
            value, steps = self._files[file], pointer.split("/")[1:]
            for number, step in enumerate(steps):
                inner = step_into(value, step)
                if inner is ABSENT:
                    rest = steps[number:]
                    break
                value = inner
            else:
                return file, pointer
            self._budget.pay_nodes(len(steps))
            reference = value.get("$ref") if isinstance(value, Mapping) else None
            place = (
                self._place_of(reference, file) if isinstance(reference, str) else None
            )
            if place is None:
                return None
            file, pointer = place[0], "/".join([place[1], *rest])
        raise Invalid(f"{_reference_text(file, pointer)}: leads to itself")

    def _name_own(self) -> None:
        """A component of the root that is another file's gets no second name."""
        root = self._files[self._root]
        components = {"schemas": root.get("definitions")}
        if not self._swagger:
            components = root.get("components")
        for kind, entries in _items(components):
            for name, value in _items(entries):
                pointer = value.get("$ref") if isinstance(value, Mapping) else None
                if kind in IN_PLACE or not isinstance(pointer, str) or len(value) > 1:
                    continue
                target = self._target(pointer, self._root)
                if target and target[0] != self._root and target not in self._names:
                    self._names[target] = kind, name
                    self._queue.append(target)

    def _pointer(self, pointer: str, file: str, section: str) -> str:
        target = self._target(pointer, file)
        if target is None:
            return pointer
        if target[0] == self._root:
            return f"#{target[1]}"
        if target not in self._names:
            self._names[target] = self._named(*target, section)
            self._queue.append(target)
        kind, name = self._names[target]
        path = self._path(kind)
        step = escaped_step(name)
        return f"#/{path}/{step}" if self._swagger else f"#/components/{path}/{step}"

    def _named(self, file: str, pointer: str, section: str) -> tuple[str, str]:
        """The kind and a free name of the component that a target becomes."""
        kind = section_of(pointer) or section or "schemas"
        if kind not in self._name_counts:
            self._name_counts[kind] = self._existing(kind)
        counts = self._name_counts[kind]
        base = _NOT_IN_NAMES.sub("-", _last(file, pointer)).strip("-") or "part"
        counts[base] += 1
        name = base if counts[base] == 1 else f"{base}_{counts[base]}"
        while name != base and name in counts:
            counts[base] += 1
            name = f"{base}_{counts[base]}"
        counts[name] = max(counts[name], 1)
        return kind, name

    def _existing(self, kind: str) -> Counter[str]:
        """The names of the components of a kind that the root has itself."""
        root = self._files[self._root]
        components = root if self._swagger else root.get("components")
        if not isinstance(components, Mapping):
            return Counter()
        names = components.get(self._path(kind))
        return Counter(list(names) if isinstance(names, Mapping) else ())


def _json_number(number: Any) -> Any:
    """A number of the files as JSON, in its own spelling if that is valid JSON.

    Raises:
        TypeError: if it is something else.
    """
    if not isinstance(number, WrittenNumber):
        raise TypeError(f"{type(number).__name__} is no value of JSON")
    if _JSON_NUMBER.fullmatch(number.text):
        return orjson.Fragment(number.text)
    return resolve(number.text)


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, Mapping) else []


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
            if isinstance(target, str) and is_reference(target)
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


def _last(file: str, pointer: str) -> str:
    if pointer:
        return last_name(pointer)
    return posixpath.basename(file.partition("?")[0]).partition(".")[0]


def _reference_text(file: str, pointer: str) -> str:
    return f"{file}#{pointer}" if pointer else file
