"""Which files an entity hangs on, however many ways lead from roots to it."""

from dataclasses import dataclass, field
from typing import Any

from services.catalog.handlers.refreshing import files_of
from tests.costs import limit_processor_time


@dataclass
class Link:
    """What is known of an entity."""

    location: Any
    parents: tuple[str, ...] = ()


@dataclass
class RootLocation:
    """A registration that has read no file itself."""

    files: dict[Any, Any] = field(default_factory=dict)


class Registered(dict[str, Link]):
    """Links by ref, and the roots among them by name."""

    def __init__(self, links: dict[str, Link], *names: str) -> None:
        super().__init__(links)
        self.roots = {name: RootLocation() for name in names}


def test_each_root_has_the_files_of_its_own_paths() -> None:
    """Each root has the files between it and the entity, not another root's."""
    links = {
        "x/one": Link("r1"),
        "x/two": Link("r2"),
        "x/mid": Link("m", ("x/one", "x/two")),
        "x/own": Link("o", ("x/two",)),
        "x/leaf": Link("f", ("x/mid", "x/own")),
        "x/aside": Link("a", ("x/one",)),
    }
    files = files_of(Registered(links, "one", "two"), "x/leaf")  # type: ignore[arg-type]
    shared = {("x/one", "m"), ("x/mid", "f")}
    assert files["one"] == shared
    assert files["two"] == {
        *{("x/two", "m"), ("x/mid", "f")},
        *{("x/two", "o"), ("x/own", "f")},
    }


def test_branching_paths_are_walked_once_per_link() -> None:
    """Two links from each level to the next: 2^300 paths, and a cycle at the top."""
    links = {"x/root": Link("r", ("x/a0",))}
    above: tuple[str, ...] = ("x/root",)
    for floor in range(300):
        pair = (f"x/a{floor}", f"x/b{floor}")
        links |= {ref: Link(f"f{floor}", above) for ref in pair}
        above = pair
    with limit_processor_time(2):
        files = files_of(Registered(links, "root"), "x/b299")  # type: ignore[arg-type]
    assert len(files["root"]) >= 2 * 299
