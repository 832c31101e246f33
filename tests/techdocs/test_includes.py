"""What a page or a configuration includes: files beside it, and none from outside."""

import json
from pathlib import Path

import pytest

from shared.contracts.errors import Invalid
from tests.techdocs.generating import CONFIG, Make, page

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_snippets_outside_the_docs_are_not_read(
    generate: Make, tmp_path: Path
) -> None:
    """Neither an absolute path nor one with dots reads a file of the server."""
    secret = tmp_path.parent / "secret.txt"
    secret.write_text("the-secret-word")
    generated, _ = await generate(
        {
            "mkdocs.yml": CONFIG,
            "docs/index.md": f'# Hi\n\n--8<-- "{secret}"\n\n'
            '--8<-- "../../secret.txt"\n',
        }
    )
    assert "the-secret-word" not in page(generated)


async def test_diagrams_outside_the_docs_are_not_read(
    generate: Make, tmp_path: Path
) -> None:
    """A diagram's source outside the folder is never shown."""
    secret = tmp_path.parent / "diagram.txt"
    secret.write_text("the-secret-word")
    text = f'# Hi\n\n```plantuml source="{secret}"\nx\n```\n'
    try:
        generated, log = await generate({"mkdocs.yml": CONFIG, "docs/index.md": text})
    except Invalid as refused:
        # Where plantuml is installed, its extension tries, and the walls stop it.
        assert refused.message.startswith("index.md: diagram.txt: files outside")  # noqa: PT017 - either way is right
    else:
        assert "the-secret-word" not in page(generated) + "".join(log)


async def test_snippets_in_the_docs_folder_are_included(generate: Make) -> None:
    """A snippet from the documentation's own folder is put in."""
    generated, _ = await generate(
        {
            "mkdocs.yml": CONFIG,
            "LICENSE.md": "Apache words",
            "docs/index.md": '# Hi\n\n--8<-- "LICENSE.md"\n',
        }
    )
    assert "Apache words" in page(generated)


async def test_a_monorepo_of_docs_becomes_one_site(generate: Make) -> None:
    """Included configurations add their pages, reduced to the allowed settings."""
    generated, _ = await generate(
        {
            "mkdocs.yml": CONFIG
            + "nav: [{Home: index.md}, {Sub: '!include sub/mkdocs.yml'}]\n",
            "docs/index.md": "# Top\n",
            "sub/mkdocs.yml": "site_name: sub\nhooks: [x.py]\n"
            "nav: [{Inner: index.md}]\n",
            "sub/docs/index.md": "# Inner words\n",
        }
    )
    assert "Inner words" in page(generated, "sub/index.html")
    assert any("sub/mkdocs.yml: hooks" in line for line in generated.warnings)


async def test_the_cause_of_a_plugins_failure_is_named(generate: Make) -> None:
    """Also where the cause is in the plugin's own log; without server paths."""
    files = {
        "mkdocs.yml": CONFIG
        + "nav: [{A: '!include sub/mkdocs.yml'}, {B: '!include sub/mkdocs.yml'}]\n",
        "docs/index.md": "# Top\n",
        "sub/mkdocs.yml": "site_name: the-same\nnav: [{Inner: index.md}]\n",
        "sub/docs/index.md": "# Inner\n",
    }
    with pytest.raises(Invalid, match=r"mkdocs stopped - .*the-same") as raised:
        await generate(files)
    assert "/source" not in raised.value.message


@pytest.mark.parametrize(
    ("pattern", "pages"),
    [
        ("parts/{a,b}/mkdocs.yml", {"a", "b"}),
        ("**/mkdocs.yml", {"a", "b", "c"}),
        ("parts/!(a)/mkdocs.yml", {"b", "c"}),
    ],
)
async def test_wildcards_of_includes_match_like_globs(
    generate: Make, pattern: str, pages: set[str]
) -> None:
    """Braces, any depth and negation, with a title before them or without one."""
    parts = {
        f"parts/{name}/{path}": text
        for name in "abc"
        for path, text in {
            "mkdocs.yml": f"site_name: {name}\n",
            "docs/index.md": f"# Words of {name}\n",
        }.items()
    }
    nav = [{"Home": "index.md"}, {"Parts": f"*include {pattern}"}]
    generated, _ = await generate(
        {
            "site.yml": f"site_name: All\nnav: {json.dumps(nav)}\n",
            "docs/index.md": "# Top\n",
            **parts,
        },
        config="site.yml",
    )
    assert {name for name in "abc" if (Path(generated.out) / name).is_dir()} == pages


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{a,b}" * 20 + ".yml", "means over 256 patterns"),
        ("x/*.md", "must name a YAML file"),
        ("../*/mkdocs.yml", "leaves the documentation's folder"),
    ],
)
async def test_wildcards_of_includes_are_limited(
    generate: Make, pattern: str, reason: str
) -> None:
    """The expansion of a pattern is counted before any file is searched."""
    nav = json.dumps([f"*include {pattern}"])
    files = {"mkdocs.yml": f"site_name: A\nnav: {nav}\n", "docs/index.md": "# Hi\n"}
    with pytest.raises(Invalid, match=reason):
        await generate(files)


async def test_an_included_site_needs_a_name(generate: Make) -> None:
    """The error says which file has none."""
    nav = json.dumps([{"Parts": "*include */mkdocs.yml"}])
    with pytest.raises(Invalid, match=r"^a/mkdocs.yml: site_name is missing"):
        await generate(
            {
                "mkdocs.yml": f"site_name: A\nnav: {nav}\n",
                "docs/index.md": "# Hi\n",
                "a/mkdocs.yml": "docs_dir: docs\n",
            }
        )
