"""What is fetched is kept once, whole, and the file that is pinned."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.engines import cache, documents, fetching, jdk, opa
from deploy.engines.cache import CannotFetch
from deploy.engines.jdk import Jdk


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, empty."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


def test_a_built_file_is_cached(own_cache: Path) -> None:
    """The second request gets the file of the first."""
    folders: list[Path] = []

    def make(folder: Path) -> None:
        folders.append(folder)
        (folder / "file").write_text("once")

    assert (
        cache.cached_folder("thing", make)
        == cache.cached_folder("thing", make)
        == own_cache / "thing"
    )
    assert len(folders) == 1
    assert (own_cache / "thing" / "file").read_text() == "once"


def test_concurrent_requests_build_a_file_once(own_cache: Path) -> None:
    """The second one waits until the file is complete."""
    folders: list[Path] = []
    all_here = threading.Barrier(4)

    def make(folder: Path) -> None:
        folders.append(folder)
        for number in range(50):
            (folder / str(number)).write_text("x")

    def ask() -> int:
        all_here.wait(10)
        return len(list(cache.cached_folder("thing", make).iterdir()))

    with ThreadPoolExecutor(4) as pool:
        results = [future.result() for future in [pool.submit(ask) for _ in range(4)]]
    assert results == [50] * 4
    assert len(folders) == 1


def test_an_interrupted_build_is_not_cached(own_cache: Path) -> None:
    """It is built again."""

    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise CannotFetch("the network is gone")

    with pytest.raises(CannotFetch):
        cache.cached_folder("thing", fail)
    assert [path.name for path in own_cache.iterdir()] == [".thing.lock"]
    cache.cached_folder("thing", lambda folder: (folder / "file").touch())
    assert [path.name for path in (own_cache / "thing").iterdir()] == ["file"]


@pytest.mark.parametrize("harm", ["changed", "missing", "added"])
def test_a_download_with_a_wrong_checksum_is_refused(tmp_path: Path, harm: str) -> None:
    """A wrong checksum, a missing jar, an unknown one: each is named."""
    (tmp_path / "a.jar").write_bytes(b"a")
    (tmp_path / "b.jar").write_bytes(b"b")
    digests = cache.digests(tmp_path)
    cache.check(tmp_path, digests)
    match harm:
        case "changed":
            (tmp_path / "b.jar").write_bytes(b"something else")
        case "missing":
            (tmp_path / "b.jar").unlink()
        case "added":
            del digests["b.jar"]
    with pytest.raises(CannotFetch, match=r"b\.jar"):
        cache.check(tmp_path, digests)


def test_a_changed_jar_in_the_cache_is_refused(servers: None, own_cache: Path) -> None:
    """It is not used, and is named."""
    jar_folder = documents.JARS.folder
    own_cache.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(cache.VARIABLE)
        shutil.copytree(documents.JARS.fetch(), own_cache / jar_folder)
    documents.JARS.check()
    jar = next((own_cache / jar_folder / "libs").glob("h2-*.jar"))
    jar.write_bytes(jar.read_bytes() + b"!")
    with pytest.raises(CannotFetch, match=jar.name):
        documents.JARS.check()


def test_a_program_of_another_pin_is_refused(
    servers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that was built from another source is not used."""
    opa.PROGRAM.check()
    monkeypatch.setattr(cache, "pinned", lambda _: {f"{opa.MODULE}@v1.22.2": "h1:no="})
    with pytest.raises(CannotFetch, match="open-policy-agent"):
        opa.PROGRAM.check()


def test_a_second_fetch_downloads_nothing(servers: None) -> None:
    """The second fetch checks the cache and changes no folder."""
    fetching.fetch(fetching.SOURCES, lambda *_: None)
    folders = [cache.root() / source.folder for source in fetching.SOURCES.values()]
    before = [folder.stat().st_mtime_ns for folder in folders]
    messages: list[str] = []
    fetching.fetch(fetching.SOURCES, lambda message, _: messages.append(message))
    assert [folder.stat().st_mtime_ns for folder in folders] == before
    assert {words.split()[0] for words in messages} == {"Checking", "All"}


def installed(folder: Path, name: str, version: str, *, compiler: bool = True) -> Path:
    """A Java as far as anybody looks at it."""
    home = folder / name
    (home / "bin").mkdir(parents=True)
    (home / "release").write_text(f'JAVA_VERSION="{version}"\n')
    for program in ("java", "javac") if compiler else ("java",):
        (home / "bin" / program).touch()
    return home


@pytest.fixture
def jvms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an old Java, a newer one, and the newest without a compiler."""
    monkeypatch.setattr(jdk, "FOLDER", tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    installed(tmp_path, "eight", "1.8.0_402")
    installed(tmp_path, "seventeen", "17.0.15")
    installed(tmp_path, "twenty-one", "21.0.2", compiler=False)
    return tmp_path


def test_the_newest_java_is_chosen(jvms: Path) -> None:
    """Of those that are new enough, with a compiler where one is needed."""
    assert jdk.find(17, "Kafka") == Jdk(jvms / "twenty-one", 21)
    assert jdk.find(17, "Kafka", compiler=True) == Jdk(jvms / "seventeen", 17)


def test_java_home_is_considered(
    jvms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is not among the others."""
    home = installed(tmp_path / "elsewhere", "new", "25")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert jdk.find(17, "Kafka") == Jdk(home, 25)


def test_a_missing_java_is_named(jvms: Path) -> None:
    """The error names the program, the versions and the package to install."""
    with pytest.raises(CannotFetch) as failed:
        jdk.find(22, "OpenSearch")
    message = str(failed.value)
    for word in ("OpenSearch", "22 or newer", "17 at", "openjdk-22-jdk", "JAVA_HOME"):
        assert word in message


@pytest.mark.parametrize(
    ("name", "word"), [("opa", "go.dev/dl"), ("documents", "apt-get install maven")]
)
def test_a_missing_tool_is_named(
    jvms: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, word: str
) -> None:
    """Go and Maven: what they are for, and where they come from."""
    which = shutil.which
    nowhere = {"path": ""}
    monkeypatch.setattr(shutil, "which", lambda tool, **_: which(tool, **nowhere))
    with pytest.raises(CannotFetch, match=word):
        fetching.SOURCES[name].fetch()
    assert not fetching.SOURCES[name].ready
