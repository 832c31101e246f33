"""mkdocs in a process of its own: what comes out, and what cannot come in."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.contracts.errors import Invalid
from tests.techdocs.generating import CONFIG, Make, page, summary

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_generated_site_has_backstages_parts(generate: Make) -> None:
    """Title, metadata, search entries, navigation and edit links."""
    generated, log = await generate(
        {
            "mkdocs.yml": CONFIG + "site_description: All\n"
            "nav: [{Home: index.md}, {More: [{Guide: a/guide.md}]}]\n",
            "docs/index.md": "# Hello\n\n!!! note\n    Zebra :smile:\n",
            "docs/a/guide.md": "# Guide\n\n## Install & run\n\nxylophone\n",
        },
        edit_link="https://git.example/r/edit/main/{path}",
        repository_url="https://git.example/r",
        etag="e1",
    )
    assert "<title>Docs</title>" in page(generated)
    assert "<title>Guide - Docs</title>" in page(generated, "a/guide/index.html")
    metadata = json.loads(page(generated, "techdocs_metadata.json"))
    assert (metadata["site_name"], metadata["site_description"]) == ("Docs", "All")
    assert metadata["etag"] == "e1"
    assert {"index.html", "a/guide/index.html", "techdocs_metadata.json"} <= set(
        metadata["files"]
    )
    result = summary(generated)
    assert result["nav"][1]["children"][0]["path"] == "a/guide"
    assert result["pages"][1]["edit_url"].endswith("/edit/main/docs/a/guide.md")
    sections = json.loads((Path(generated.record) / "sections.json").read_text())
    assert {
        "path": "a/guide/#install-run",
        "title": "Install & run",
        "text": "xylophone",
    } in sections
    assert generated.pages == 2
    assert any("Documentation built" in line for line in log)


async def test_the_navigation_has_no_links_that_run_scripts(generate: Make) -> None:
    """Their titles stay, without an address; usual links have theirs."""
    links = {
        "Script": "javascript:alert(1)",
        "Upper": "JavaScript:alert(1)",
        "Data": "data:text/html,x",
        "Web": "https://x.example/",
        "Mail": "mailto:a@x.example",
    }
    nav = [{"Home": "index.md"}, *({title: link} for title, link in links.items())]
    generated, _ = await generate(
        {
            "mkdocs.yml": CONFIG + f"nav: {json.dumps(nav)}\n",
            "docs/index.md": "# Hello\n",
        }
    )
    hrefs = {item["title"]: item.get("href") for item in summary(generated)["nav"][1:]}
    assert hrefs == {
        **dict.fromkeys(("Script", "Upper", "Data")),
        "Web": links["Web"],
        "Mail": links["Mail"],
    }


async def test_a_site_is_built_without_mkdocs_yml(generate: Make) -> None:
    """With the entity's title and the folder `docs`."""
    generated, _ = await generate({"docs/index.md": "# Hi\n"})
    assert "<title>Web</title>" in page(generated)


async def test_removed_settings_are_reported_as_warnings(generate: Make) -> None:
    """Hooks do not run, and the writer reads why."""
    hook = "import pathlib\npathlib.Path('docs/hooked.md').write_text('x')\n"
    generated, log = await generate(
        {
            "mkdocs.yml": CONFIG + "hooks: [hook.py]\n",
            "hook.py": hook,
            "docs/index.md": "# Hi\n",
        }
    )
    assert not (Path(generated.out) / "hooked").exists()
    assert any("hooks is not allowed" in line for line in log)
    assert any("hooks" in line for line in generated.warnings)


async def test_a_module_beside_the_docs_is_not_imported(generate: Make) -> None:
    """A file named like a library is not imported in its place."""
    generated, _ = await generate(
        {
            "mkdocs.yml": CONFIG,
            "mkdocs.py": "raise SystemExit(9)",
            "yaml.py": "raise SystemExit(9)",
            "docs/index.md": "# Hi\n",
        }
    )
    assert generated.pages == 1


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"mkdocs.yml": "site_name: [", "docs/index.md": ""}, "YAML error"),
        ({"mkdocs.yml": CONFIG + "docs_dir: ../..\n"}, "leaves the documentation"),
        ({"mkdocs.yml": CONFIG, "docs/a.txt": ""}, "there is no page"),
        (
            {"mkdocs.yml": CONFIG, "docs/old.md": "# Gr\udcf6n"},
            r"old.md: it is not UTF-8 text \(byte 5\)",
        ),
        (
            {"mkdocs.yml": CONFIG + "strict: true\n", "docs/index.md": "[x](no.md)"},
            "no.md",
        ),
        (
            {
                "mkdocs.yml": CONFIG + "nav: [{A: '!include b.yml'}]\n",
                "docs/index.md": "",
            },
            "b.yml does not exist",
        ),
        ({"mkdocs.yml": CONFIG + "site_url: 7\n", "docs/index.md": ""}, "site_url"),
        (
            {
                "mkdocs.yml": CONFIG
                + "markdown_extensions: [{toc: {toc_depth: deep}}]\n",
                "docs/index.md": "",
            },
            "^mkdocs.yml: markdown_extensions: .* 'toc'. ValueError: invalid literal",
        ),
        (
            {
                "mkdocs.yml": CONFIG + "markdown_extensions: [{toc: {slugify: 5}}]\n",
                "docs/index.md": "# One\n",
            },
            "^index.md: TypeError: .*; mkdocs.yml: markdown_extensions: toc: .*slugify",
        ),
        (
            {
                "mkdocs.yml": "site_name: x\n"
                "plugins: [techdocs-core, {search: {lang: [5]}}]\n",
                "docs/index.md": "",
            },
            "^mkdocs.yml: plugins.lang: AttributeError",
        ),
        (
            {
                "mkdocs.yml": CONFIG
                + "exclude_docs: |\n"
                + "".join(f"  {'*a' * 30}{number}\n" for number in range(800)),
                "docs/index.md": "",
            },
            "^mkdocs.yml: exclude_docs: ",
        ),
    ],
)
async def test_a_failed_build_names_file_or_setting(
    generate: Make, files: Mapping[str, str], reason: str
) -> None:
    """The reason names the file or the setting."""
    with pytest.raises(Invalid, match=reason):
        await generate(files)


async def test_configured_links_have_safe_schemes_only(generate: Make) -> None:
    """Link prefixes in the settings are paths or web addresses."""
    config = CONFIG + (
        "edit_uri: 'file:///x/'\nmarkdown_extensions:\n"
        "  - wikilinks: {base_url: 'javascript:alert(1)//'}\n"
    )
    generated, _ = await generate(
        {"mkdocs.yml": config, "docs/index.md": "# Hi\n\n[[Seats]]\n"}
    )
    assert "file:" not in page(generated)
    assert "alert(1)" not in page(generated)
    assert 'href="/Seats/"' in page(generated)
    log_lines = [line for line in generated.warnings if "begin with https://" in line]
    assert len(log_lines) == 2


async def test_unparsable_links_do_not_break_a_site(generate: Make) -> None:
    """Half an IPv6 address, or a host that changes when it is normalized."""
    body = (
        "# Hi\n\n[a](http://[x) <http://[y> ![b](//[z) [c](http://a\u2100b/)\n\n"
        '<a href="http://[w">raw</a> fine [d][e]\n\n[e]: http://[v\n'
    )
    generated, _ = await generate({"docs/index.md": body})
    assert "fine" in page(generated)
