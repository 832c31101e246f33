"""Targets that are patterns: of repositories, of folders, of providers and rules."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.catalog.handlers.pushes import Push, apply_push
from services.catalog.ingest.location_targets import may_spread
from services.catalog.ingest.rules import LocationPattern, rule_glob
from services.catalog.model import LocationRef, RepositoryPath
from services.catalog.readers.reading import CatalogSources
from shared.contracts.errors import Invalid
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.git.url_reader import UrlReader
from tests import builders
from tests.catalog.running import OPEN, Host, pointing, running, write

FILE = "catalog-info.yaml"
FILES = {
    FILE: "top",
    f"services/c/{FILE}": "c",
    f"services/a/b/{FILE}": "deep",
    "services/c/extra.yml": "extra",
    ".backstage/hidden.yaml": "hidden",
    f"apps/[id]/{FILE}": "bracket",
}
PATTERNS = [
    (f"**/{FILE}", {"top", "c", "deep", "bracket"}),
    (f"services/*/{FILE}", {"c"}),
    (f"services/**/{FILE}", {"c", "deep"}),
    ("services/c/*.{yaml,yml}", {"c", "extra"}),
    ("services/c/{catalog-info,extra}.y?(a)ml", {"c", "extra"}),
    ("**/*.yml", {"extra"}),
    (".backstage/*.yaml", {"hidden"}),
    ("{.backstage,services/c}/*.yaml", {"hidden", "c"}),
    (f"{{.backstage/*,**/{FILE}}}", {"hidden", "top", "c", "deep", "bracket"}),
    ("@(.backstage|apps)/*.yaml", {"hidden"}),
    ("+(.)backstage/*.yaml", {"hidden"}),
    ("**/.backstage/*.yaml", {"hidden"}),
    ("[.]backstage/*.yaml", set()),
    ("*/*.yaml", set()),
    ("**/hidden.yaml", set()),
    (f"apps/[id]/{FILE}", {"bracket"}),
    (f"{{services/c,apps/*}}/{FILE}", {"c", "bracket"}),
]


@pytest.fixture(scope="module")
def mono(tmp_path_factory: pytest.TempPathFactory) -> tuple[Host, Path]:
    """The same files in a repository and in a folder."""
    data = tmp_path_factory.mktemp("mono")
    host = Host(data)
    host.commit(
        "mono", {path: builders.component(name) for path, name in FILES.items()}
    )
    return host, host.copies / "mono"


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS)
@pytest.mark.parametrize("kind", ["url", "file"])
async def test_a_pattern_matches_these_files(
    mono: tuple[Host, Path], kind: str, pattern: str, expected: set[str]
) -> None:
    """`*` is one folder level, `**` any number, also none; hidden ones when named."""
    host, folder = mono
    hosts = Integrations(local=[Integration(host=host.name, directory=host.bare)])
    mirrors = RepositoryMirrors(folder.parent / "mirrors", hosts)
    root = str(folder) if kind == "file" else host.url("mono", "").rstrip("/")
    location = LocationRef(kind, f"{root}/{pattern}")
    reading = CatalogSources(UrlReader([], mirrors), []).reading(location)
    matching = await reading.matching(location)
    bodies = [(await reading.read(item)).body for item in matching]
    assert {yaml.safe_load(body)["metadata"]["name"] for body in bodies} == expected


async def test_configured_patterns_are_read(database: Any, data: Path) -> None:
    """The folder before the first wildcard is the allowed folder."""
    for path, name in FILES.items():
        write(data / "org", path, builders.component(name))
    pattern = f"{data}/org/**/{FILE}"
    config = f"{OPEN}  locations:\n    - {{type: file, target: '{pattern}'}}\n"
    async with running(database, data, config) as catalog:
        names = {"top", "c", "deep", "bracket"}
        assert await catalog.refs() == {f"component:{name}" for name in names}


async def test_a_push_reads_files_that_newly_match_a_pattern(
    database: Any, data: Path
) -> None:
    """Patterns with braces or classes are listed again, plain `*` ones are not."""
    host = Host(data)
    host.commit("mono", {"a/x.yaml": builders.component("one")})
    async with running(database, data, host.config()) as catalog:
        await catalog.register(host.url("mono", "{a,b}/x.yaml"))
        assert await catalog.refs() == {"component:one"}
        host.commit("mono", {"b/x.yaml": builders.component("two")})
        push = Push(host.name, "mono", "main", frozenset(["b/x.yaml"]), "ann")
        await apply_push(catalog.work.catalog, [], push)
        assert await catalog.refs() == {"component:one", "component:two"}


async def test_a_pattern_that_matches_nothing_is_named(
    database: Any, data: Path
) -> None:
    """The response and the parent Location entity name the pattern."""
    host = Host(data)
    host.commit("mono", {FILE: pointing("more", "./services/*/none.yaml")})
    async with running(database, data, host.config()) as catalog:
        root = f"https://{host.name}/mono/blob/main"
        answer = await catalog.register(f"{root}/{FILE}")
        assert answer.status_code == 201
        [problem] = await catalog.problems("more")
        assert "services/*/none.yaml" in problem
        answer = await catalog.register(f"{root}/**/none.yaml", "?dryRun=true")
        assert "**/none.yaml" in answer.json()["error"]["message"]


async def test_a_file_pattern_stays_in_the_configured_folders(
    database: Any, data: Path
) -> None:
    """A Location entity in a file cannot list other folders of the machine."""
    write(data / "secret", "a.yaml", builders.component("secret"))
    main = pointing("more", "../secret/*.yaml", "/**/a.yaml", type="file")
    target = write(data / "org", "all.yaml", main)
    config = f"{OPEN}  locations:\n    - {{type: file, target: '{target}'}}\n"
    async with running(database, data, config) as catalog:
        assert await catalog.refs() == {"location:more"}
        problems = await catalog.problems("more")
        assert len(problems) == 2
        assert all("outside of the folders" in problem for problem in problems)


async def test_a_provider_discovers_files_by_pattern(database: Any, data: Path) -> None:
    """One root for each repository in which a file matches."""
    host = Host(data)
    host.commit("one", {f"a/{FILE}": builders.component("one")})
    host.commit("two", {f"b/c/{FILE}": builders.component("two")})
    host.commit("none", {"readme.md": "# hi"})
    config = host.discovering().replace(
        f"host: {host.name}\n",
        f"host: {host.name}\n        catalogPath: '**/{FILE}'\n",
        1,
    )
    async with running(database, data, config) as catalog:
        assert await catalog.refs() == {"component:one", "component:two"}
        assert len(catalog.work.catalog.state.roots) == 2


@pytest.mark.parametrize(
    ("pattern", "target", "expected"),
    [
        ("https://github.com/acme/**", "https://github.com/Acme/x/blob/main/a.yaml", 1),
        ("https://github.com/acme/*", "https://github.com/acme/x/blob/main/a.yaml", 0),
        (
            "https://github.com/{acme,b}/*/**/.github/*",
            "https://github.com/b/x/.github/y",
            1,
        ),
        ("https://github.com/!(acme)/**", "https://github.com/acme/x/y", 0),
        ("https://*.example.org/**", "https://git.example.org/x/y", 1),
    ],
)
def test_rules_match_as_in_backstage(pattern: str, target: str, expected: int) -> None:
    """Case is ignored, hidden names match, `*` does not cross a slash."""
    locations = LocationPattern("url", pattern=pattern)
    assert locations.covers(LocationRef("url", target)) == bool(expected)


def test_a_rule_with_a_pattern_over_the_limits_is_refused() -> None:
    """The configuration is refused with the name of the key."""
    with pytest.raises(Invalid, match=r"catalog\.rules"):
        rule_glob("{a,b}" * 30)


async def test_a_push_checks_each_target_of_a_location_once(
    database: Any, data: Path
) -> None:
    """Each target is checked once, not once for every file that was read."""
    host = Host(data)
    file_count = 400
    files = {f"e/{n}.yaml": builders.component(f"c{n}") for n in range(file_count)}
    targets = [f"./{path}" for path in files]
    host.commit("mono", {**files, FILE: pointing("all", *targets)})
    async with running(database, data, host.config()) as catalog:
        await catalog.register(host.url("mono"))
        count_of_reads = 0
        state = catalog.work.catalog.state
        get = state.get

        def counting_get(ref: str) -> Any:
            nonlocal count_of_reads
            count_of_reads += 1
            return get(ref)

        state.get = counting_get
        push = Push(host.name, "mono", "main", frozenset(["other.txt"]), "ann")
        await apply_push(catalog.work.catalog, [], push)
        assert count_of_reads < file_count


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://h.example/o/r/blob/main/*/x.yaml", True),
        ("https://h.example/o/r/blob/main/%2A%2A/x.yaml", True),
        ("https://h.example/o/r/blob/main/{a,b}.yaml", True),
        ("https://h.example/o/_git/r?path=/a/*.yaml&version=GBmain", True),
        ("https://h.example/o/_git/r?path=/a.yaml&version=GBmain", False),
        ("https://h.example/o/r/blob/main/a%20b.yaml?plain=1", False),
        ("https://h.example/o/r/blob/main/a?.yaml", True),
        ("./a/[bc].yaml", True),
        ("./a/b.yaml", False),
    ],
)
def test_targets_that_may_match_several_files_are_detected(
    target: str, expected: bool
) -> None:
    """Such targets are listed again at every push."""
    assert may_spread(target) == expected


def test_pushes_match_addresses_in_any_case() -> None:
    """People write `acme/shop` where the host writes `Acme/Shop`."""
    place = RepositoryPath("git.example.org", "acme/shop", "main", "x", folds_case=True)
    push = Push(
        "git.example.org",
        "Acme/Shop",
        "main",
        frozenset(["x"]),
        "ann",
        folds_case=True,
    )
    assert push.touches(place)
    assert not push.touches(replace(place, repository="acme/shop2"))
    # To a host that tells names apart by case, that is another repository.
    assert not replace(push, folds_case=False).touches(replace(place, folds_case=False))


async def test_a_pattern_leaves_out_its_own_file(database: Any, data: Path) -> None:
    """A Location for all descriptors of a repository names the others."""
    host = Host(data)
    host.commit("self", {FILE: pointing("everything", f"./**/{FILE}")})
    host.commit("self", {f"a/{FILE}": builders.component("a")})
    async with running(database, data, host.config()) as catalog:
        url = host.url("self")
        assert (await catalog.register(url, "?dryRun=true")).status_code == 201
        assert (await catalog.register(url)).status_code == 201
        assert "component:a" in await catalog.refs()
        assert await catalog.problems("everything") == []
