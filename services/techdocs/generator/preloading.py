"""Imports the modules that mkdocs and techdocs-core import late, before the first job.

Otherwise every confined child would import, and compile, them again.
"""

import importlib

MODULES = (
    "admonitions.admonition",
    "encodings.idna",
    "markdown.extensions.abbr",
    "markdown.extensions.admonition",
    "markdown.extensions.attr_list",
    "markdown.extensions.fenced_code",
    "markdown.extensions.footnotes",
    "markdown.extensions.md_in_html",
    "markdown.extensions.tables",
    "markdown.extensions.toc",
    "markdown_inline_graphviz",
    "material.plugins.search.plugin",
    "material.templates",
    "mdx_truly_sane_lists",
    "nh3",
    "pygments.lexers.python",
    "pygments.lexers.shell",
    "pygments.lexers.special",
    "pygments.styles.default",
    "plantuml_markdown",
    "pymdownx._bypassnorm",
    "pymdownx.emoji1_db",
    "pymdownx.snippets",
    "pymdownx.superfences",
    "techdocs_core.core",
    "pymdownx.betterem",
    "pymdownx.caret",
    "pymdownx.critic",
    "pymdownx.details",
    "pymdownx.emoji",
    "pymdownx.extra",
    "pymdownx.highlight",
    "pymdownx.inlinehilite",
    "pymdownx.magiclink",
    "pymdownx.mark",
    "pymdownx.smartsymbols",
    "pymdownx.tabbed",
    "pymdownx.tasklist",
    "pymdownx.tilde",
)


def preload() -> None:
    """Import the modules."""
    for name in MODULES:
        importlib.import_module(name)
