"""The settings that a site's mkdocs.yml may have; names those that it may not.

The lists are those of `@backstage/plugin-techdocs-node`; extensions are listed too,
because naming one imports a module. It does not build anything.
"""

import re
import string
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.techdocs.allowed_plugins import SAFE_PLUGINS
from services.techdocs.mkdocs_file import SiteConfig, docs_dir, inside, known_values
from shared.contracts.errors import Invalid

_SCHEME = re.compile(r"([a-z][a-z0-9+.\-]*):")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEYS = _words(
    """site_name site_url site_description site_author repo_url repo_name edit_uri
    edit_uri_template docs_dir nav exclude_docs not_in_nav theme plugins
    markdown_extensions extra extra_css use_directory_urls strict copyright
    validation"""
)
#: Allowed in Backstage, without effect on a build: left out without a warning.
SILENT_KEYS = _words(
    "site_dir dev_addr watch remote_branch remote_name google_analytics"
)
THEME_KEYS = _words("name font icon logo favicon language direction palette features")
PLUGINS = _words("techdocs-core search material/search redirects group material/group")
#: techdocs-core and the portal do the work of these plugins: they are left out.
BROUGHT = _words("monorepo gh-admonitions mermaid2")
_MARKDOWN = _words(
    """abbr admonition attr_list codehilite def_list extra fenced_code footnotes
    legacy_attrs legacy_em md_in_html meta nl2br sane_lists smarty tables toc
    wikilinks"""
)
_PYMDOWN = _words(
    """arithmatex betterem blocks.admonition blocks.caption blocks.definition
    blocks.details blocks.html blocks.tab caret critic details emoji escapeall extra
    fancylists highlight inlinehilite keys magiclink mark progressbar quotes
    saneheaders smartsymbols snippets striphtml superfences tabbed tasklist tilde"""
)
EXTENSIONS = frozenset(
    [
        *_MARKDOWN,
        *(f"markdown.extensions.{name}" for name in _MARKDOWN),
        *(f"pymdownx.{name}" for name in _PYMDOWN),
        "markdown_inline_graphviz",
        "mdx_truly_sane_lists",
        "plantuml_markdown",
    ]
)
#: These reach files, commands or servers outside the site.
FORBIDDEN_OPTIONS: Mapping[str, frozenset[str]] = {
    "plantuml_markdown": _words(
        """server servers kroki_server cachedir base_dir config plantuml_cmd
        http_method insecure"""
    ),
    "pymdownx.snippets": _words(
        """restrict_base_path url_download url_max_size url_timeout
        url_request_headers"""
    ),
}


@dataclass(slots=True)
class Allowed:
    """A configuration reduced to allowed settings, with warnings of the others."""

    values: SiteConfig
    warnings: list[str] = field(default_factory=list)


def allowed(
    config: SiteConfig,
    more_plugins: Collection[str] = frozenset(),
    absent_plugins: Collection[str] = frozenset(),
) -> Allowed:
    """`config` without settings that a site may not have; the rest is as written.

    `more_plugins` are those of `SAFE_PLUGINS` that the operator allows; those of them
    that are not installed are `absent_plugins`.
    """
    warnings: list[str] = []
    config = known_values(dict(config), warnings)
    values = {key: config[key] for key in config if key in KEYS}
    warnings += [
        f"mkdocs.yml: {key} is not allowed and was left out"
        for key in sorted(config.keys() - KEYS - SILENT_KEYS)
    ]
    _require_texts(config.get("extra_css"), "extra_css")
    values["docs_dir"] = docs_dir(config)
    values["theme"] = _theme(config.get("theme"), warnings)
    plugins = PLUGINS | (SAFE_PLUGINS & set(more_plugins))
    is_installed = {name: name not in absent_plugins for name in plugins}
    values["plugins"] = _plugins(config.get("plugins"), is_installed, warnings)
    for key in ("edit_uri", "edit_uri_template"):
        _drop_foreign_address(values, key, f"mkdocs.yml: {key}", warnings)
    _check_edit_template(values, warnings)
    if "techdocs-core" not in [next(iter(item)) for item in values["plugins"]]:
        values["plugins"].append({"techdocs-core": {}})
    values["markdown_extensions"] = _extensions(
        config.get("markdown_extensions"), warnings
    )
    return Allowed(values, warnings)


def _theme(theme: Any, warnings: list[str]) -> SiteConfig:
    written = {"name": theme} if isinstance(theme, str) else theme
    if written is not None and not isinstance(written, dict):
        raise Invalid("mkdocs.yml: theme must be a name or a mapping")
    options = written or {}
    _require_texts(options.get("features"), "theme.features")
    dropped = sorted(str(key) for key in options if key not in THEME_KEYS)
    warnings += [
        f"mkdocs.yml: theme.{key} was left out: not allowed" for key in dropped
    ]
    allowed = {key: value for key, value in options.items() if key in THEME_KEYS}
    # techdocs-core sets this theme, whatever the site names.
    return {**allowed, "name": "material"}


def _require_texts(items: Any, label: str) -> None:
    """Refuse what mkdocs takes and a theme or a page fails on later."""
    is_list = isinstance(items, list) and all(isinstance(item, str) for item in items)
    if items is not None and not is_list:
        raise Invalid(f"mkdocs.yml: {label} must be a list of texts")


def _named(items: Any, label: str) -> Iterator[tuple[str, SiteConfig]]:
    """Name and options of each item of a list that mkdocs reads in three forms."""
    if items is None:
        return
    if isinstance(items, dict):
        items = [{key: value} for key, value in items.items()]
    if not isinstance(items, list):
        raise Invalid(f"mkdocs.yml: {label} must be a list")
    for item in items:
        pair: dict[Any, Any] = {item: None} if isinstance(item, str) else item
        if not isinstance(pair, dict) or len(pair) != 1:
            raise Invalid(f"mkdocs.yml: {label}: each item must be a name")
        name, options = next(iter(pair.items()))
        if options is not None and not isinstance(options, dict):
            raise Invalid(f"mkdocs.yml: {label}.{name}: options must be a mapping")
        yield str(name), dict(options or {})


def _drop_foreign_address(
    values: SiteConfig, key: str, label: str, warnings: list[str]
) -> None:
    """Remove a base of links that is neither a path nor a web address."""
    value = values.get(key)
    if isinstance(value, str):
        # Browsers read a scheme through spaces and control characters.
        plain = "".join(filter(str.isprintable, value)).replace(" ", "").lower()
        scheme = _SCHEME.match(plain)
        if scheme is None or scheme[1] in ("http", "https"):
            return
        warnings.append(f"{label} must be a path or begin with https://; was left out")
        del values[key]


def _check_edit_template(values: SiteConfig, warnings: list[str]) -> None:
    """Remove a template with other fields: they could reach into Python objects."""
    template = values.get("edit_uri_template")
    if template is None or not isinstance(template, str):
        return
    try:
        fields = [part[1:] for part in string.Formatter().parse(template) if part[1]]
    except ValueError:
        fields = [(template, "", "")]
    for name, form, conversion in fields:
        if name not in ("path", "path_noext") or form or conversion not in (None, "q"):
            warnings.append(
                "mkdocs.yml: edit_uri_template may only name {path} and {path_noext}; "
                "it was left out"
            )
            del values["edit_uri_template"]
            return


def _plugins(
    items: Any, is_installed: Mapping[str, bool], warnings: list[str]
) -> list[SiteConfig]:
    allowed: list[SiteConfig] = []
    for name, options in _named(items, "plugins"):
        if name in BROUGHT:
            continue
        if not is_installed.get(name):
            rule = "installed" if name in is_installed else "allowed"
            warnings.append(f"mkdocs.yml: plugin {name} is not {rule}, was left out")
            continue
        if "plugins" in options:
            options["plugins"] = _plugins(options["plugins"], is_installed, warnings)
        allowed.append({name: _redirects(options) if name == "redirects" else options})
    return allowed


def _redirects(options: SiteConfig) -> SiteConfig:
    maps = options.get("redirect_maps") or {}
    if not isinstance(maps, dict):
        raise Invalid("mkdocs.yml: plugins.redirects.redirect_maps must be a mapping")
    for source in maps:
        inside(str(source), "mkdocs.yml: plugins.redirects.redirect_maps")
    return {"redirect_maps": {str(key): str(value) for key, value in maps.items()}}


def _extensions(items: Any, warnings: list[str]) -> list[SiteConfig]:
    allowed: list[SiteConfig] = []
    for name, options in _named(items, "markdown_extensions"):
        if name not in EXTENSIONS:
            warnings.append(
                f"mkdocs.yml: markdown extension {name} is not allowed, was left out"
            )
            continue
        for option in sorted(options.keys() & FORBIDDEN_OPTIONS.get(name, frozenset())):
            warnings.append(f"mkdocs.yml: {name}.{option} is not allowed, was left out")
            del options[option]
        if name == "wikilinks":
            label = f"mkdocs.yml: {name}.base_url"
            _drop_foreign_address(options, "base_url", label, warnings)
        if name == "pymdownx.snippets":
            options["base_path"] = _base_paths(options.get("base_path"))
        if name == "pymdownx.emoji":
            _drop_foreign_icons(options, warnings)
        allowed.append({name: options})
    return allowed


def _drop_foreign_icons(options: SiteConfig, warnings: list[str]) -> None:
    """Remove icons that are neither in the documentation's folder nor the theme's."""
    icons = options.get("options")
    if isinstance(icons, dict) and "custom_icons" in icons:
        label, folders = (
            "mkdocs.yml: pymdownx.emoji.custom_icons",
            icons["custom_icons"],
        )
        try:
            paths = [inside(str(path), label) for path in folders or ()]
        except (Invalid, TypeError):
            warnings.append(f"{label}: leaves the documentation's folder, was left out")
            paths = []
        options["options"] = {**icons, "custom_icons": paths}


def _base_paths(option: Any) -> list[str]:
    paths = [option] if isinstance(option, str) else option or ["."]
    if not isinstance(paths, list):
        raise Invalid("mkdocs.yml: pymdownx.snippets.base_path must be a path or paths")
    label = "mkdocs.yml: pymdownx.snippets.base_path"
    return [inside(str(path), label) for path in paths]
