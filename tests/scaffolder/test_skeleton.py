"""Skeletons: names and contents of files, and where they may not go."""

from pathlib import Path
from typing import Any

import pytest

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.workspace.folder import Workspace
from services.scaffolder.workspace.skeleton import SkeletonRules, render_tree
from shared.contracts.errors import Forbidden, Invalid


def tree(root: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content.encode() if isinstance(content, str) else content
        path.write_bytes(raw)
    return root


@pytest.fixture
def render(tmp_path: Path) -> Any:
    workspace = Workspace(tmp_path / "workspace")
    workspace.prepare()

    def run(
        files: dict[str, bytes | str],
        values: dict[str, Any] | None = None,
        target: str = ".",
        **rules: Any,
    ) -> dict[str, bytes]:
        source = tree(tmp_path / "source", files)
        skeleton_rules = SkeletonRules(**rules)
        dialect = TemplateDialect(cookiecutter=skeleton_rules.cookiecutter)
        render_tree(source, workspace, target, values or {}, dialect, skeleton_rules)
        entries = workspace.entries()
        return {x.path: workspace.read(x.path) for x in entries if x.kind == "file"}

    run.workspace = workspace  # type: ignore[attr-defined]
    return run


def test_names_and_contents_are_rendered(render: Any) -> None:
    """Each part of a path and each text knows the values."""
    files = {"${{ values.n }}/${{ values.n }}.txt": "I am ${{ values.n }}\n"}
    assert render(files, {"n": "x"}) == {"x/x.txt": b"I am x\n"}


def test_a_file_without_a_name_is_left_out(render: Any) -> None:
    """A path with an empty part is the way to say that a file is not wanted."""
    files = {"${{ values.n if values.yes }}": "a", "keep": "b"}
    assert render(files, {"n": "x", "yes": False}) == {"keep": b"b"}


def test_binary_files_and_line_ends_stay(render: Any) -> None:
    """What is not text is copied, and a CR stays a CR."""
    files = {"a.bin": b"\x00${{ 1 }}", "b.txt": "${{ 1 }}\r\n", "c": b"\xff${{ 1 }}"}
    rendered = render(files)
    assert rendered == {
        "a.bin": b"\x00${{ 1 }}",
        "b.txt": b"1\r\n",
        "c": b"\xff${{ 1 }}",
    }


def test_copied_files_keep_their_content(render: Any) -> None:
    """`copyWithoutTemplating` leaves contents alone and renders names."""
    files = {
        "static/${{ values.n }}.js": "${{ x }}",
        "deep/er/a.tpl": "${{ x }}",
        "b.txt": "${{ values.n }}",
    }
    rendered = render(files, {"n": "q"}, copied=["static/**", "**/*.tpl"])
    assert rendered == {
        "static/q.js": b"${{ x }}",
        "deep/er/a.tpl": b"${{ x }}",
        "b.txt": b"q",
    }


def test_names_of_copied_files_may_stay_too(render: Any) -> None:
    """`copyWithoutRender` leaves names alone as well."""
    rendered = render(
        {"${{ x }}/a": "${{ x }}"}, copied=["*/a"], renders_copied_names=False
    )
    assert rendered == {"${{ x }}/a": b"${{ x }}"}


def test_an_extension_marks_what_is_rendered(render: Any) -> None:
    """With an extension, other files are copied and the extension is dropped."""
    files = {"a.txt.njk": "${{ values.n }}", "b.txt": "${{ values.n }}"}
    rendered = render(files, {"n": "x"}, extension=".njk")
    assert rendered == {"a.txt": b"x", "b.txt": b"${{ values.n }}"}


def test_existing_files_stay_unless_replaced(render: Any) -> None:
    """`replace` decides."""
    render.workspace.write("a", b"mine")
    assert render({"a": "theirs"})["a"] == b"mine"
    assert render({"a": "theirs"}, replaces=True)["a"] == b"theirs"


def test_cookiecutter_skeletons_are_rendered(render: Any) -> None:
    """With its compatibility on, `{{ cookiecutter.x }}` is rendered."""
    files = {"{{cookiecutter.n}}.txt": "{{ cookiecutter.n }}"}
    assert render(files, {"n": "x"}, cookiecutter=True) == {"x.txt": b"x"}


def test_executable_files_stay_executable(tmp_path: Path, render: Any) -> None:
    """A script can still be run."""
    script = tree(tmp_path / "source", {"run.sh": "x"}) / "run.sh"
    script.chmod(0o755)
    render({})
    assert (render.workspace.root / "run.sh").stat().st_mode & 0o100


def test_template_errors_name_the_file(render: Any) -> None:
    """An author with forty files needs to know which."""
    with pytest.raises(TemplateRenderError, match=r"line 2, column 7.*\(in a/b\.txt\)"):
        render({"a/b.txt": "one\n{% if %}"})


@pytest.mark.parametrize("name", ["../../out", "a/../../../x"])
def test_a_rendered_name_cannot_leave_the_workspace(render: Any, name: str) -> None:
    """Values in names are input too."""
    with pytest.raises(Forbidden, match="outside its parent"):
        render({"${{ values.n }}": "x"}, {"n": name})


def test_a_link_in_a_skeleton_stays_a_link(tmp_path: Path, render: Any) -> None:
    """Its name and its target are rendered; what it leads to is not copied."""
    source = tree(tmp_path / "source", {"${{ values.n }}/a.md": "${{ values.n }}"})
    (source / "${{ values.n }}.md").symlink_to("${{ values.n }}/a.md")
    (source / "Makefile").symlink_to("../../common/Makefile")
    (source / "static").mkdir()
    (source / "static" / "raw").symlink_to("${{ values.n }}")
    render({}, {"n": "x"}, renders_copied_names=False, copied=["static/**"])
    workspace = render.workspace
    assert workspace.files() == ["Makefile", "static/raw", "x.md", "x/a.md"]
    assert workspace.target("x.md") == "x/a.md"
    assert workspace.target("Makefile") == "../../common/Makefile"
    assert workspace.target("static/raw") == "${{ values.n }}"
    assert workspace.read("x.md") == b"x"


@pytest.mark.parametrize("value", ["../../etc", "/etc/passwd", "a/../../b"])
def test_a_rendered_link_that_leads_outside_is_refused(
    tmp_path: Path, render: Any, value: str
) -> None:
    """The values in a link's target are input too; the error names the link."""
    source = tree(tmp_path / "source", {"a": "x"})
    (source / "sub").symlink_to("${{ values.n }}")
    with pytest.raises(Invalid, match="'sub': the link leads"):
        render({}, {"n": value})


def test_an_existing_link_stays_unless_replaced(tmp_path: Path, render: Any) -> None:
    """A link counts as an existing file, also a dangling one."""
    render.workspace.link("a", "nowhere")
    tree(tmp_path / "source", {"a": "theirs"})
    assert render({}) == {}
    assert render({}, replaces=True) == {"a": b"theirs"}


@pytest.mark.parametrize("pattern", ["{a,b}" * 30, "a" * 2000])
def test_a_glob_over_the_limits_is_refused(pattern: str) -> None:
    """Before the first file is read, with the name of the field."""
    with pytest.raises(Invalid, match="copyWithoutTemplating"):
        SkeletonRules(copied=[pattern])


@pytest.mark.parametrize(
    ("copied", "expected"),
    [
        (["static"], {"static/.keep", "static/a.js", "static/b.min.js"}),
        (["**/*.{js,md}"], {"static/a.js", "static/b.min.js", "docs/x.md"}),
        (["static/**", "!**/*.min.js"], {"static/.keep", "static/a.js"}),
        (["static/!(*.min).js"], {"static/a.js"}),
        (["*/*.md"], {"docs/x.md"}),
        ([".*"], set[str]()),
    ],
)
def test_copied_files_are_selected_by_globs(
    copied: list[str], expected: set[str]
) -> None:
    """As in Backstage: hidden files match, a folder means all in it, `!` excludes."""
    rules = SkeletonRules(copied=copied)
    paths = ["top", "static/.keep", "static/a.js", "static/b.min.js", "docs/x.md"]
    assert {path for path in paths if rules.is_copied(path)} == expected
