"""The built-in actions, on real folders and real Git."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.scaffolder import registry
from services.scaffolder.action import Action, ActionContext, Tools
from services.scaffolder.filters import template_filters
from services.scaffolder.hookspecs import hookimpl
from services.scaffolder.model import Initiator
from services.scaffolder.store.repositories import GitRepositories
from services.scaffolder.store.sources import UrlSources
from services.scaffolder.workspace import Workspace
from shared.contracts.errors import (
    CallboardError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from shared.guards.yaml_text import load_documents
from shared.kit.config import Integration, Integrations
from shared.kit.git import RepositoryMirrors
from shared.kit.urls import UrlReader
from tests.builders import component
from tests.rawtrees import FILE, FOLDER, LINK, MODULE, PROGRAM, RawRepository

HOST = "git.example.test"
ANN = {
    "ref": "user:default/ann",
    "entity": {
        "spec": {"profile": {"displayName": "Ann", "email": "ann@example.test"}}
    },
}


class Bench:
    """Runs one action in one workspace."""

    def __init__(self, folder: Path, repositories: Path, catalog: Any) -> None:
        self.workspace = Workspace(folder / "workspace")
        self.workspace.prepare()
        self.catalog = catalog
        host = Integration(host=HOST, directory=repositories)
        self.mirrors = RepositoryMirrors(folder / "m", Integrations(local=[host]))
        self.lines: list[str] = []
        self.checkpoints: dict[str, Any] = {}
        self.tools = Tools(
            catalog,
            UrlSources(UrlReader([], self.mirrors)),
            GitRepositories(self.mirrors),
            {found.name: found.run for found in template_filters()},
        )

    async def run(self, action: str, base: str | None = None, **given: Any) -> Any:
        resumed = given.pop("is_resumed", False)

        async def remember(key: str, value: Any) -> None:
            self.checkpoints[key] = value

        context = ActionContext(
            task_id="t",
            step_id="s",
            input=given,
            workspace=self.workspace,
            initiator=Initiator("user:default/ann"),
            user=ANN,
            template_info={"entityRef": "template:default/t", "baseUrl": base},
            tools=self.tools,
            log=self.lines.append,
            is_resumed=resumed,
            checkpoints=dict(self.checkpoints),
            remember=remember,
        )
        await registry.load().get(action).run(context)
        return context.outputs

    def write(self, path: str, content: str = "x") -> None:
        self.workspace.write(path, content.encode())

    @property
    def files(self) -> list[str]:
        return self.workspace.files()


@pytest.fixture
def bench(tmp_path: Path, repositories: Path, catalog: Any) -> Bench:
    return Bench(tmp_path, repositories, catalog)


def git(*arguments: str, cwd: Path) -> str:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.test"]
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def kit(repositories: Path, tmp_path: Path) -> str:
    """A template's repository at the host; the template's own URL."""
    work = tmp_path / "kit"
    (work / "templates/skeleton").mkdir(parents=True)
    (work / "templates/skeleton/${{ values.n }}.txt").write_text("I am ${{ values.n }}")
    (work / "templates/template.yaml").write_text("x")
    (work / "shared.txt").write_text("common")
    git("init", "-q", "-b", "main", cwd=work)
    git("add", ".", cwd=work)
    git("commit", "-q", "-m", "first", cwd=work)
    git("clone", "-q", "--bare", str(work), str(repositories / "kit.git"), cwd=work)
    return f"https://{HOST}/kit/blob/main/templates/template.yaml"


async def test_a_skeleton_is_fetched_from_the_templates_repository(
    bench: Bench, kit: str
) -> None:
    """Relative URLs are relative to where the template lies."""
    await bench.run("fetch:template", kit, url="./skeleton", values={"n": "x"})
    await bench.run("fetch:plain", kit, url="./skeleton", targetPath="plain")
    await bench.run("fetch:plain:file", kit, url="../shared.txt", targetPath="s.txt")
    await bench.run(
        "fetch:template:file",
        kit,
        url=f"https://{HOST}/kit/blob/main/shared.txt",
        targetPath="t.txt",
    )
    assert bench.files == ["plain/${{ values.n }}.txt", "s.txt", "t.txt", "x.txt"]
    assert (bench.workspace.root / "x.txt").read_text() == "I am x"


async def test_what_a_skeleton_holds_is_published(
    bench: Bench, repositories: Path
) -> None:
    """Links arrive as links, also those that only resolve in the new repository."""
    raw = RawRepository(repositories / "kinds.git")
    text = "*.cmd eol=crlf\n/spec export-ignore\n.gitattributes export-ignore\n"
    spec = raw.tree([(FILE, b"a.txt", raw.blob("a\n"))])
    lines = [
        (FILE, b".gitattributes", raw.blob(text)),
        (LINK, b"build.mk", raw.blob("../../common/build.mk")),
        (FILE, b"go.cmd", raw.blob("one\ntwo\n")),
        (PROGRAM, b"run.sh", raw.blob("#!/bin/sh\n")),
        (FOLDER, b"spec", spec),
        (MODULE, b"vendor", "1" * 40),
        (LINK, b"vite.txt", raw.blob("spec/a.txt")),
    ]
    inner = raw.tree([(FOLDER, b"skeleton", raw.tree(lines))])
    raw.commit(raw.tree([(FOLDER, b"kit", inner)]))
    base = f"https://{HOST}/kinds/blob/main/kit/template.yaml"
    await bench.run("fetch:template", base, url="./skeleton", values={})
    assert "Wrote 6 files from the template" in bench.lines
    assert any(line.startswith("vendor is another") for line in bench.lines)
    await bench.run("debug:log", listWorkspace=True)
    assert "build.mk -> ../../common/build.mk" in bench.lines[-1]
    await bench.run("publish:git", repoUrl=f"{HOST}?repo=made")
    listed = git("ls-tree", "-r", "main", cwd=repositories / "made.git").splitlines()
    expected = git("ls-tree", "-r", "main:kit/skeleton", cwd=raw.folder).splitlines()
    assert listed == [line for line in expected if "160000" not in line]


async def test_a_link_out_of_the_repository_is_named(
    bench: Bench, repositories: Path
) -> None:
    """Fetching a folder or a file of it says which link, and shows no path of ours."""
    raw = RawRepository(repositories / "out.git")
    lines = [
        (LINK, b"shadow", raw.blob("/etc/shadow")),
        (LINK, b"up", raw.blob("../../x")),
    ]
    raw.commit(raw.tree([(FOLDER, b"skel", raw.tree(lines))]))
    root = f"https://{HOST}/out"
    for action in ("fetch:plain", "fetch:template"):
        with pytest.raises(Invalid, match="'skel/shadow': the link leads") as refused:
            await bench.run(action, url=f"{root}/tree/main/skel/")
        assert str(repositories) not in refused.value.message
    for name in ("shadow", "up", "up/x"):
        with pytest.raises(Invalid, match=f"skel/{name}: the link leads outside"):
            await bench.run(
                "fetch:plain:file",
                url=f"{root}/blob/main/skel/{name}",
                targetPath="o",
            )
    assert bench.files == []


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("../../../etc", Invalid),
        ("./nothing", NotFound),
        ("file:///etc", Forbidden),
        ("https://elsewhere.example/x", Forbidden),
        (f"https://{HOST}/nosuch/tree/main", NotFound),
    ],
)
async def test_what_cannot_be_fetched_is_told(
    bench: Bench, kit: str, url: str, error: type[CallboardError]
) -> None:
    """Outside the repository, missing, not allowed."""
    with pytest.raises(error):
        await bench.run("fetch:plain", kit, url=url)
    assert bench.files == []


async def test_a_target_outside_is_refused_before_anything_is_fetched(
    bench: Bench, kit: str
) -> None:
    """No file is written anywhere."""
    for action in ("fetch:plain", "fetch:template"):
        with pytest.raises(Forbidden):
            await bench.run(action, kit, url="./skeleton", targetPath="../x")
    with pytest.raises(Forbidden):
        await bench.run("fetch:plain:file", kit, url="./x", targetPath="/etc/x")


async def test_options_that_exclude_each_other_are_refused(bench: Bench) -> None:
    """The author hears which."""
    with pytest.raises(Invalid, match="copyWithoutRender"):
        await bench.run(
            "fetch:template",
            url="./x",
            copyWithoutRender=["a"],
            copyWithoutTemplating=["b"],
        )
    with pytest.raises(Invalid, match="cookiecutterCompat"):
        await bench.run(
            "fetch:template",
            url="./x",
            templateFileExtension=True,
            cookiecutterCompat=True,
        )


@pytest.mark.parametrize(
    ("root", "url"),
    [
        ("https://g/o/r/tree/main/", "https://g/o/r/tree/main/catalog-info.yaml"),
        (
            "https://b/projects/P/repos/r/browse?at=refs%2Fheads%2Fdev",
            "https://b/projects/P/repos/r/browse/catalog-info.yaml?at=refs%2Fheads%2Fdev",
        ),
        (
            "https://dev.azure.com/o/p/_git/r?path=/&version=GBa%2Fb",
            "https://dev.azure.com/o/p/_git/r?path=/catalog-info.yaml&version=GBa/b",
        ),
        (
            "https://dev.azure.com/o/My%20P/_git/r?path=/apps/x",
            "https://dev.azure.com/o/My%20P/_git/r?path=/apps/x/catalog-info.yaml",
        ),
    ],
)
async def test_a_file_of_a_published_repository_keeps_its_branch(
    bench: Bench, root: str, url: str
) -> None:
    """Where a host writes the branch or the path as an argument."""
    given = {"repoContentsUrl": root, "optional": True}
    outputs = await bench.run("catalog:register", **given)
    assert outputs["catalogInfoUrl"] == url


HELM = ("base/helm_dev.yaml", "base/helm_prod.yaml")


async def test_files_are_deleted_and_renamed(bench: Bench) -> None:
    """Files and folders; what is there is not overwritten unasked."""
    for path in ("a", "d/e", "b", "c"):
        bench.write(path, path)
    await bench.run("fs:delete", files=["a", "d", "missing"])
    await bench.run("fs:rename", files=[{"from": "b", "to": "deep/er/b"}])
    assert bench.files == ["c", "deep/er/b"]
    with pytest.raises(Conflict, match="overwrite"):
        await bench.run("fs:rename", files=[{"from": "c", "to": "deep"}])
    await bench.run("fs:rename", files=[{"from": "c", "to": "deep", "overwrite": True}])
    assert bench.files == ["deep"]


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["base/helm_*"], [".env", "a.tmp", "base/.cache/x", "base/k.yaml", "z.txt"]),
        (["**/*.tmp", "*.txt"], [".env", "base/.cache/x", *HELM, "base/k.yaml"]),
        (["**/{.cache,k.yaml}"], [".env", "a.tmp", *HELM, "z.txt"]),
        ([".*"], ["a.tmp", "base/.cache/x", *HELM, "base/k.yaml", "z.txt"]),
        (["!(base)"], ["base/.cache/x", *HELM, "base/k.yaml"]),
        (["base/**"], [".env", "a.tmp", "z.txt"]),
        (["."], []),
        (["./base/.."], []),
    ],
)
async def test_patterns_delete_what_matches(
    bench: Bench, patterns: list[str], left: list[str]
) -> None:
    """Files and folders, hidden ones too; `.` empties the workspace, which stays."""
    for path in (".env", "a.tmp", "base/.cache/x", *HELM, "base/k.yaml", "z.txt"):
        bench.write(path, path)
    await bench.run("fs:delete", files=patterns)
    assert bench.files == left
    bench.write("after", "x")
    assert "after" in bench.files


async def test_a_pattern_that_matches_nothing_is_logged(bench: Bench) -> None:
    """The step goes on, and its log names the pattern."""
    bench.write("[id].tsx", "x")
    await bench.run("fs:delete", files=["none/*.tmp", "[id].tsx"])
    assert any("Nothing matches none/*.tmp" in line for line in bench.lines)
    assert bench.files == []


@pytest.mark.parametrize("pattern", ["../*", "/etc/*", "a/../../*", "a\\*"])
async def test_no_pattern_leads_outside(bench: Bench, pattern: str) -> None:
    """Links are deleted themselves, and what they point to stays."""
    with pytest.raises(Forbidden):
        await bench.run("fs:delete", files=[pattern])


async def test_a_link_is_deleted_and_not_followed(bench: Bench, tmp_path: Path) -> None:
    """What a link points to is not the workspace's."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    bench.write("a/b", "x")
    (bench.workspace.root / "a" / "link").symlink_to(outside)
    await bench.run("fs:delete", files=["a/*", "**/kept"])
    assert bench.files == []
    assert (outside / "kept").exists()


@pytest.mark.parametrize("path", [".", "", "a/.."])
async def test_the_workspace_itself_stays(bench: Bench, path: str) -> None:
    """A step cannot move the ground it stands on, nor empty it by an empty name."""
    bench.write("a/b")
    with pytest.raises(Invalid, match="workspace itself"):
        await bench.run("fs:rename", files=[{"from": path, "to": "x"}])
    with pytest.raises(Invalid, match="empty name"):
        await bench.run("fs:delete", files=[""])
    assert bench.files == ["a/b"]


async def test_a_renaming_that_was_interrupted_is_finished(bench: Bench) -> None:
    """After a crash, what was renamed already is no error."""
    bench.write("done")
    bench.write("b")
    files = [{"from": "a", "to": "done"}, {"from": "b", "to": "c"}]
    with pytest.raises(NotFound):
        await bench.run("fs:rename", files=files)
    await bench.run("fs:rename", files=files, is_resumed=True)
    assert bench.files == ["c", "done"]


async def test_a_folder_is_read(bench: Bench) -> None:
    """Names and paths, of one level or of all."""
    for path in ("x/a", "x/y/b"):
        bench.write(path)
    found = await bench.run("fs:readdir", paths=["x"])
    assert found == {
        "files": [{"name": "a", "path": "x", "fullPath": "x/a"}],
        "folders": [{"name": "y", "path": "x", "fullPath": "x/y"}],
    }
    deep = await bench.run("fs:readdir", paths=["."], recursive=True)
    assert [file["fullPath"] for file in deep["files"]] == ["x/a", "x/y/b"]
    with pytest.raises(NotFound):
        await bench.run("fs:readdir", paths=["nope"])


async def test_a_descriptor_names_its_template(bench: Bench) -> None:
    """What a template writes says where it came from."""
    await bench.run("catalog:write", entity=component("new"))
    made = yaml.safe_load((bench.workspace.root / "catalog-info.yaml").read_text())
    assert made["metadata"]["annotations"] == {
        "backstage.io/source-template": "template:default/t"
    }
    assert made["spec"] == component("new")["spec"]


async def test_a_written_descriptor_is_valid_in_the_catalog(bench: Bench) -> None:
    """Cost centres, commits and dates stay texts, in the catalog and in old readers."""
    entity = component("written")
    labels = {
        "acme.example/cost-centre": "0071",
        "acme.example/commit": "4417e12",
        "acme.example/mode": "0o644",
        "acme.example/opened": "2023-02-30",
        "acme.example/at": "7:45",
        "acme.example/answer": "no",
        "acme.example/x": "=",
    }
    entity["metadata"]["annotations"] = labels
    await bench.run("catalog:write", entity=entity)
    written = (bench.workspace.root / "catalog-info.yaml").read_bytes()
    [read] = load_documents(written)
    envelope = read["metadata"]["annotations"]
    assert {key: envelope[key] for key in labels} == labels
    assert yaml.safe_load(written) == read


async def test_entities_are_fetched(bench: Bench) -> None:
    """One or several; missing ones are an error unless optional."""
    bench.catalog.add(component("web"))
    one = await bench.run("catalog:fetch", entityRef="web", defaultKind="component")
    assert one["entity"]["metadata"]["name"] == "web"
    refs = ["component:default/web", "component:default/no"]
    several = await bench.run("catalog:fetch", entityRefs=refs, optional=True)
    assert [
        entity and entity["metadata"]["name"] for entity in several["entities"]
    ] == [
        "web",
        None,
    ]
    with pytest.raises(NotFound, match="component:default/no"):
        await bench.run("catalog:fetch", entityRefs=refs)
    with pytest.raises(Invalid, match="Missing entity reference"):
        await bench.run("catalog:fetch")


async def test_a_location_is_registered_once(bench: Bench) -> None:
    """Registering again is no error: it is what was asked for."""
    url = f"https://{HOST}/new/tree/main/catalog-info.yaml"
    bench.catalog.locations[url] = [component("new")]
    for _ in range(2):
        found = await bench.run(
            "catalog:register", repoContentsUrl=f"https://{HOST}/new/tree/main"
        )
        assert found == {"catalogInfoUrl": url, "entityRef": "component:default/new"}
    assert bench.catalog.registered == [url]
    with pytest.raises(Invalid, match="outside"):
        await bench.run(
            "catalog:register", repoContentsUrl="https://x", catalogInfoPath="../../x"
        )


async def test_a_repository_is_published(bench: Bench, repositories: Path) -> None:
    """Created with one commit by the user, and its pages are the outputs."""
    bench.write("README.md", "hello")
    bench.write(".git/hooks/pre-commit", "exit 1")
    found = await bench.run(
        "publish:git", repoUrl=f"{HOST}?repo=new", gitCommitMessage="Begin"
    )
    bare = repositories / "new.git"
    assert found["remoteUrl"] == f"https://{HOST}/new"
    assert found["repoContentsUrl"] == f"https://{HOST}/new/tree/main"
    assert git("rev-parse", "main", cwd=bare) == found["commitHash"]
    assert (
        git("log", "--format=%an <%ae> %s", cwd=bare) == "Ann <ann@example.test> Begin"
    )
    assert git("ls-tree", "-r", "--name-only", "main", cwd=bare) == "README.md"


async def test_somebody_elses_repository_is_left_alone(
    bench: Bench, kit: str, repositories: Path
) -> None:
    """A name that is taken is a conflict, and nothing is pushed."""
    before = git("rev-parse", "main", cwd=repositories / "kit.git")
    for _ in range(2):
        with pytest.raises(Conflict, match="kit"):
            await bench.run("publish:git", repoUrl=f"{HOST}?repo=kit")
    assert git("rev-parse", "main", cwd=repositories / "kit.git") == before


async def test_publishing_goes_on_where_it_was_killed(
    bench: Bench, repositories: Path
) -> None:
    """Killed after the repository was made, or after the push: never twice."""
    bench.write("a")
    bench.checkpoints["claimed"] = f"{HOST}/new"
    await bench.mirrors.create(HOST, "new", branch="main")
    first = await bench.run("publish:git", repoUrl=f"{HOST}?repo=new", is_resumed=True)
    again = await bench.run("publish:git", repoUrl=f"{HOST}?repo=new", is_resumed=True)
    assert first == again
    assert git("rev-list", "--count", "main", cwd=repositories / "new.git") == "1"


@pytest.mark.parametrize(
    "url", ["", "no place", f"{HOST}", f"{HOST}?repo=../x", "x?repo=a"]
)
async def test_a_bad_place_is_told(bench: Bench, url: str) -> None:
    """No host, no name, a name that leads elsewhere, a host that is none."""
    with pytest.raises((Invalid, NotFound)):
        await bench.run("publish:git", repoUrl=url)


async def test_waiting_has_a_limit(bench: Bench) -> None:
    """Ten minutes, and not backwards."""
    for seconds in (-1, 601):
        with pytest.raises(Invalid, match="between 0 and 600"):
            await bench.run("debug:wait", seconds=seconds)


async def test_a_plugin_adds_an_action() -> None:
    """A package's actions stand beside the built-in ones; ids are unique."""

    async def run(context: ActionContext) -> None:
        context.output("x", 1)

    class Plugin:
        def __init__(self, action_id: str) -> None:
            self.action_id = action_id

        @hookimpl
        def scaffolder_actions(self) -> list[Action]:
            return [Action(self.action_id, "Mine", run, {"type": "object"})]

    assert registry.load([Plugin("acme:do")]).get("acme:do").description == "Mine"
    with pytest.raises(Conflict, match="debug:log"):
        registry.load([Plugin("debug:log")])
