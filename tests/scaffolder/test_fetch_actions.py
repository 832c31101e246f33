"""The actions that fetch: files and skeletons of real repositories."""

from pathlib import Path

import pytest

from shared.contracts.errors import (
    CallboardError,
    Forbidden,
    Invalid,
    NotFound,
)
from tests.rawtrees import FILE, FOLDER, LINK, MODULE, PROGRAM, RawRepository
from tests.scaffolder.workbench import HOST, Bench
from tests.shared.githost import git


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


async def test_a_skeleton_is_published_with_its_links(
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
    """The error of fetching a folder or a file names the link, and no server path."""
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
    "url",
    [
        "/with%20space",
        "/with space/",
        "/templates/../with%20space",
        "../with%20space",
        "../with space",
        ".%2E/with%20space",
    ],
)
@pytest.mark.parametrize("base", ["blob/main/templates/t.yaml", "tree/main/templates/"])
async def test_a_relative_url_may_be_escaped_or_start_at_the_root(
    bench: Bench, kit: str, url: str, base: str
) -> None:
    """The root is the repository's; the same place by each way of writing it."""
    base = kit.replace("blob/main/templates/template.yaml", base)
    await bench.run("fetch:plain", base, url=url)
    file = f"{url.rstrip('/')}/50%25.txt"
    await bench.run("fetch:plain:file", base, url=file, targetPath="one")
    assert bench.files == ["50%.txt", "one"]
    assert bench.tools.sources.location(url, base).endswith("/main/with%20space")


async def test_the_root_stays_on_the_templates_branch(
    bench: Bench, kit: str, repositories: Path
) -> None:
    """Also of a branch with a slash in its name, as the catalog writes it."""
    git("branch", "release/1.x", "main", cwd=repositories / "kit.git")
    git("branch", "-m", "main", "other", cwd=repositories / "kit.git")
    base = kit.replace("/main/", "/release%2F1.x/")
    await bench.run("fetch:plain", base, url="/templates/skeleton")
    await bench.run("fetch:plain", base, url="/", targetPath="all")
    assert "${{ values.n }}.txt" in bench.files
    assert "all/shared.txt" in bench.files


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("../../../etc", Invalid),
        ("/../etc", Invalid),
        ("%2e%2e/..%2f../etc", Invalid),
        ("%2F..%2Fetc", Invalid),
        ("./x%0D", Invalid),
        ("./x%00", Invalid),
        ("/nothing", NotFound),
        ("//elsewhere.example/x", NotFound),
        ("./nothing", NotFound),
        ("file:///etc", Forbidden),
        ("https://elsewhere.example/x", Forbidden),
        (f"https://{HOST}/nosuch/tree/main", NotFound),
    ],
)
async def test_an_unfetchable_url_names_the_reason(
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


async def test_mutually_exclusive_options_are_refused(bench: Bench) -> None:
    """The error names both."""
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
