"""Redirects of mkdocs' plugin: renamed pages are read at their new address."""

import pytest

from tests.techdocs.installation import Running

CONFIG = """site_name: Box
use_directory_urls: {directories}
plugins:
  - techdocs-core
  - redirects:
      redirect_maps:
        guide/old name.md: guide/new.md
        part.md: guide/new.md#größe
        start.md: index.md
        new.md: index.md
        else.md: https://else.example/x
        none.md: none/at/all.md
"""


@pytest.mark.parametrize(("directories", "suffix"), [("true", ""), ("false", ".html")])
async def test_renamed_pages_are_answered_as_the_new_ones(
    techdocs: Running, directories: str, suffix: str
) -> None:
    """Pages go before redirects; none leads out of the site, and a warning says so."""
    files = {
        "mkdocs.yml": CONFIG.format(directories=directories),
        "docs/index.md": "# Hi\n",
        "docs/new.md": "# Newer\n",
        "docs/guide/new.md": "# New\n\n## Größe\n",
    }
    techdocs.host.commit("box", files)
    await techdocs.document("box")
    state = await techdocs.built("box")
    pages = "/pages/default/component/box"
    for former, place in {
        "guide/old name": (f"guide/new{suffix}", ""),
        "part": (f"guide/new{suffix}", "größe"),
        "start": ("", ""),
        "new": (f"new{suffix}", ""),
    }.items():
        page = (await techdocs.get(f"{pages}/{former}{suffix}")).json()
        assert (page["path"], page["anchor"]) == place
    for former in ("else", "none"):
        answer = await techdocs.get(f"{pages}/{former}{suffix}")
        assert answer.status_code == 404
    [warning] = [line for line in state["warnings"] if "another site" in line]
    assert "else.md" in warning
    assert "https://else.example/x" in warning
