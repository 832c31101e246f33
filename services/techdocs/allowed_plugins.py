"""The plugins of mkdocs that an operator may allow (`techdocs.allowPlugins`)."""

#: They read the pages and nothing else.
SAFE_PLUGINS = frozenset(
    {
        "awesome-pages",
        "literate-nav",
        "material/meta",
        "material/tags",
        "meta",
        "section-index",
        "tags",
    }
)
PLUGIN_RULE = f"only {', '.join(sorted(SAFE_PLUGINS))} can be allowed"
