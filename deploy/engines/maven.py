"""Brings jars by Maven: artefacts of pinned versions with all that they need.

Launchers are compiled against them. The classes that a server loads at its start can
be kept in an archive of the JVM's (class data sharing), which halves the next start.
"""

import hashlib
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.engines import cache, jdk
from deploy.engines.cache import CannotFetch

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
SECONDS = 900
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dev.callboard</groupId>
  <artifactId>engine-{name}</artifactId>
  <version>1</version>
  <dependencies>{dependencies}</dependencies>
</project>
"""
DEPENDENCY = """
    <dependency>
      <groupId>{}</groupId>
      <artifactId>{}</artifactId>
      <version>{}</version>
    </dependency>
"""
HERE = Path(__file__).parent
LAUNCHER = "launcher.jar"
JVM = ("-XX:+UseSerialGC", "-Xshare:auto", "-XX:-UsePerfData")


@dataclass(frozen=True, slots=True)
class Jars:
    """One server out of jars, and the launchers that are compiled against them."""

    name: str
    #: The server itself, as `group:artifact:version`.
    artifact: str
    #: The least Java that runs it.
    java: int
    launchers: Sequence[str] = ()
    #: What its users are to bring, such as something to write its log with.
    beside: Sequence[str] = ()

    @property
    def folder(self) -> str:
        """Its name in the cache: another launcher is another folder."""
        source = [(HERE / name).read_bytes() for name in self.launchers]
        source += [name.encode() for name in (self.artifact, *self.beside)]
        digest = hashlib.sha256(b"\n".join(source)).hexdigest()[:8]
        return f"{self.name}-{self.artifact.rpartition(':')[2]}-{digest}"

    @property
    def ready(self) -> bool:
        """Whether it was fetched."""
        return (cache.root() / self.folder).is_dir()

    def fetch(self) -> Path:
        """Its folder in the cache: `libs/*.jar`, `classes/`.

        Raises:
            CannotFetch: where Maven, a JDK or the network is missing, or a jar is
                not the pinned one.
        """
        return cache.cached_folder(self.folder, self._make)

    def check(self) -> None:
        """Compare the cached jars with their checksums.

        Raises:
            CannotFetch: naming the jar that is another one.
        """
        cache.check(self.fetch() / "libs", cache.pinned(self.name))

    def command(self, what: str, *options: str, train: Path | None = None) -> list[str]:
        """The newest Java that runs it, with everything it needs to find.

        Args:
            what: Its name, for the message where no Java is found.
            options: Of the JVM.
            train: Write the archive of loaded classes there when it ends.

        Raises:
            CannotFetch: if its jars or a JDK cannot be had.
        """
        folder, found = self.fetch(), jdk.find(self.java, what)
        sharing = list[str]()
        if train:
            sharing = [f"-XX:ArchiveClassesAtExit={train}"]
        elif (archive := self.archive(found)).is_file():
            sharing = [f"-XX:SharedArchiveFile={archive}"]
        path = f"{folder / LAUNCHER}:{folder / 'libs'}/*"
        return [str(found.java), *JVM, *sharing, *options, "-cp", path]

    def archive(self, found: jdk.Jdk) -> Path:
        """Where the classes that it loads with one Java are kept."""
        digest = hashlib.sha256(str(found).encode()).hexdigest()[:8]
        return cache.root() / self.folder / f"classes-{digest}.jsa"

    def _make(self, folder: Path) -> None:
        found = jdk.find(self.java, self.name, compiler=bool(self.launchers))
        _copy(self, folder, found)
        cache.check(folder / "libs", cache.pinned(self.name))
        if self.launchers:
            _compile(self, folder, found)


def _copy(jars: Jars, folder: Path, found: jdk.Jdk) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotFetch(
            f"{jars.name} is fetched by Maven (3.6 or newer), which is not on the "
            "PATH: install it (Debian: apt-get install maven)"
        )
    wanted = (jars.artifact, *jars.beside)
    dependencies = "".join(DEPENDENCY.format(*name.split(":")) for name in wanted)
    pom = folder / "pom.xml"
    pom.write_text(POM.format(name=jars.name, dependencies=dependencies))
    command = [maven, "-q", "-B", "-f", str(pom), PLUGIN]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={folder / 'libs'}"]
    run(command, f"Maven, fetching {jars.artifact},", found)


def _compile(jars: Jars, folder: Path, found: jdk.Jdk) -> None:
    sources = [str(HERE / name) for name in jars.launchers]
    command = [str(found.javac), "-nowarn", "--release", str(jars.java)]
    command += ["-cp", f"{folder / 'libs'}/*", "-d", str(folder / "classes")]
    run([*command, *sources], f"The Java compiler, at {jars.name}'s launcher,", found)
    # In a jar: classes of a folder cannot be in an archive of loaded classes.
    with zipfile.ZipFile(folder / LAUNCHER, "w") as jar:
        for path in sorted((folder / "classes").iterdir()):
            jar.write(path, path.name)


def run(command: list[str], what: str, found: jdk.Jdk) -> None:
    """Run a tool with that Java.

    Raises:
        CannotFetch: with what it said last.
    """
    try:
        done = subprocess.run(
            ["env", f"JAVA_HOME={found.home}", *command],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotFetch(f"{what} did not end within {SECONDS} s") from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[:6]
        raise CannotFetch("\n".join([f"{what} ended with {done.returncode}:", *said]))
