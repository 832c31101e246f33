"""Fetches jars by Maven: artifacts of pinned versions with their dependencies.

Launchers are compiled against them. The classes that a server loads at its start can be
archived (the JVM's class data sharing), which halves later starts.
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
SOURCE_FOLDER = Path(__file__).parent
LAUNCHER = "launcher.jar"
JVM = ("-XX:+UseSerialGC", "-Xshare:auto", "-XX:-UsePerfData")


@dataclass(frozen=True, slots=True)
class Jars:
    """The jars of one server, and the launchers that are compiled against them."""

    name: str
    #: The server as `group:artifact:version`.
    artifact: str
    #: The lowest version of Java that runs it.
    java: int
    launchers: Sequence[str] = ()
    #: Artifacts that it needs but does not depend on, such as a logger.
    extra_artifacts: Sequence[str] = ()

    @property
    def folder(self) -> str:
        """The name of its folder in the cache, which depends on the launchers."""
        source = [(SOURCE_FOLDER / name).read_bytes() for name in self.launchers]
        source += [name.encode() for name in (self.artifact, *self.extra_artifacts)]
        digest = hashlib.sha256(b"\n".join(source)).hexdigest()[:8]
        return f"{self.name}-{self.artifact.rpartition(':')[2]}-{digest}"

    @property
    def ready(self) -> bool:
        """Whether it was fetched."""
        return (cache.root() / self.folder).is_dir()

    def fetch(self) -> Path:
        """The folder in the cache with `libs/*.jar` and `classes/`.

        Raises:
            CannotFetch: if Maven, a JDK or the network is missing, or a jar is not the
                pinned one.
        """
        return cache.cached_folder(self.folder, self._make)

    def check(self) -> None:
        """Compare the cached jars with their checksums.

        Raises:
            CannotFetch: naming the jar that is different.
        """
        cache.check(self.fetch() / "libs", cache.pinned(self.name))

    def command(
        self, program: str, *options: str, train: Path | None = None
    ) -> list[str]:
        """The command line of the newest Java with the jars on its class path.

        Args:
            program: The server's name, for the error message.
            options: Options of the JVM.
            train: The file to which it writes the archive of loaded classes at its end.

        Raises:
            CannotFetch: if the jars or a JDK are missing.
        """
        folder, java_home = self.fetch(), jdk.find(self.java, program)
        sharing = list[str]()
        if train:
            sharing = [f"-XX:ArchiveClassesAtExit={train}"]
        elif (archive := self.archive(java_home)).is_file():
            sharing = [f"-XX:SharedArchiveFile={archive}"]
        path = f"{folder / LAUNCHER}:{folder / 'libs'}/*"
        return [str(java_home.java), *JVM, *sharing, *options, "-cp", path]

    def archive(self, java_home: jdk.Jdk) -> Path:
        """The file of the archive of classes for one Java."""
        digest = hashlib.sha256(str(java_home).encode()).hexdigest()[:8]
        return cache.root() / self.folder / f"classes-{digest}.jsa"

    def _make(self, folder: Path) -> None:
        java_home = jdk.find(self.java, self.name, compiler=bool(self.launchers))
        _copy(self, folder, java_home)
        cache.check(folder / "libs", cache.pinned(self.name))
        if self.launchers:
            _compile(self, folder, java_home)


def _copy(jars: Jars, folder: Path, java_home: jdk.Jdk) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotFetch(
            f"{jars.name} is fetched by Maven (3.6 or newer), which is not on the "
            "PATH: install it (Debian: apt-get install maven)"
        )
    artifacts = (jars.artifact, *jars.extra_artifacts)
    dependencies = "".join(DEPENDENCY.format(*name.split(":")) for name in artifacts)
    pom = folder / "pom.xml"
    pom.write_text(POM.format(name=jars.name, dependencies=dependencies))
    command = [maven, "-q", "-B", "-f", str(pom), PLUGIN]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={folder / 'libs'}"]
    run(command, f"Maven, fetching {jars.artifact},", java_home)


def _compile(jars: Jars, folder: Path, java_home: jdk.Jdk) -> None:
    sources = [str(SOURCE_FOLDER / name) for name in jars.launchers]
    command = [str(java_home.javac), "-nowarn", "--release", str(jars.java)]
    command += ["-cp", f"{folder / 'libs'}/*", "-d", str(folder / "classes")]
    run(
        [*command, *sources],
        f"The Java compiler, at {jars.name}'s launcher,",
        java_home,
    )
    # In a jar, because classes in a folder cannot be archived.
    with zipfile.ZipFile(folder / LAUNCHER, "w") as jar:
        for path in sorted((folder / "classes").iterdir()):
            jar.write(path, path.name)


def run(command: list[str], description: str, java_home: jdk.Jdk) -> None:
    """Run a tool with that Java.

    Raises:
        CannotFetch: with the end of its output.
    """
    try:
        result = subprocess.run(
            ["env", f"JAVA_HOME={java_home.home}", *command],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotFetch(f"{description} did not end within {SECONDS} s") from error
    if result.returncode:
        output = (result.stdout + result.stderr).strip().splitlines()[:6]
        raise CannotFetch(
            "\n".join([f"{description} ended with {result.returncode}:", *output])
        )
