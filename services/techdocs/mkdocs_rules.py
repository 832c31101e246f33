"""What a site's mkdocs.yml may say: read safely, keep what is allowed, say what not.

The lists are those of Backstage's generator (facts 1.3); extensions are listed too,
because naming one imports a module. It does not build anything.
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from shared.contracts.errors import Invalid, TooLarge

CONFIG_NAMES = ("mkdocs.yaml", "mkdocs.yml")
DEFAULT_DOCS_DIR = "docs"
CONFIG_BYTES = 256 * 1024
CONFIG_DEPTH = 40
CONFIG_ALIASES = 100
CONFIG_VALUES = 20_000
INCLUDE = "!include "
WILDCARD_INCLUDE = "*include "


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEYS = _words(
    """site_name site_url site_description site_author repo_url repo_name edit_uri
    edit_uri_template docs_dir nav exclude_docs not_in_nav theme plugins
    markdown_extensions extra extra_css use_directory_urls strict copyright
    validation"""
)
#: Allowed in Backstage, without a meaning for a build: left out without a word.
SILENT_KEYS = _words(
    "site_dir dev_addr watch remote_branch remote_name google_analytics"
)
THEME_KEYS = _words("name font icon logo favicon language direction palette features")
PLUGINS = _words("techdocs-core search material/search redirects group material/group")
PYTHON_NAMES = frozenset(
    {
        "material.extensions.emoji.to_svg",
        "material.extensions.emoji.twemoji",
        "materialx.emoji.to_svg",
        "materialx.emoji.twemoji",
        "pymdownx.superfences.fence_code_format",
        "pymdownx.superfences.fence_div_format",
    }
)
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


@dataclass(frozen=True, slots=True)
class PythonName:
    """A function that a tag `!!python/name:` names; only allowed ones are made."""

    name: str


@dataclass(slots=True)
class Allowed:
    """A configuration reduced to what is allowed, and what was left out and why."""

    values: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


class _Loader(yaml.CSafeLoader):
    """YAML's plain types and the few tags that mkdocs' users need."""


def _python_name(_loader: Any, suffix: str, node: yaml.Node) -> PythonName:
    if suffix not in PYTHON_NAMES:
        raise Invalid(
            f"mkdocs.yml line {node.start_mark.line + 1}: the Python function "
            f"{suffix!r} is not allowed"
        )
    return PythonName(suffix)


def _environment(loader: Any, node: yaml.Node) -> Any:
    """`!ENV [A, B, default]`: the builder's environment is empty, so the default."""
    if isinstance(node, yaml.SequenceNode):
        values = loader.construct_sequence(node)
        return values[-1] if len(values) > 1 else None
    return None


def _relative(loader: Any, node: yaml.Node) -> str:
    """`!relative $config_dir/x`: every path here is relative to the configuration."""
    return str(loader.construct_scalar(node)).rpartition("$config_dir/")[2] or "."


def _unknown(_loader: Any, _suffix: str, node: yaml.Node) -> None:
    raise Invalid(
        f"mkdocs.yml line {node.start_mark.line + 1}: the YAML tag {node.tag!r} is "
        "not allowed"
    )


_Loader.add_multi_constructor("tag:yaml.org,2002:python/name:", _python_name)
_Loader.add_constructor("!ENV", _environment)
_Loader.add_constructor("!relative", _relative)
_Loader.add_multi_constructor("", _unknown)


def read_config(text: bytes, name: str = "mkdocs.yml") -> dict[str, Any]:
    """The configuration in `text`, as it was written.

    Raises:
        Invalid: if it is no YAML mapping, is nested too deeply or has a foreign tag.
        TooLarge: if it is over `CONFIG_BYTES`.
    """
    if len(text) > CONFIG_BYTES:
        raise TooLarge(f"{name}: over the limit of {CONFIG_BYTES} bytes")
    try:
        _check_structure(text, name)
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise Invalid(f"{name}: is not valid YAML: {reason}") from error
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise Invalid(f"{name}: must be a mapping of settings")
    return found


def _check_structure(text: bytes, name: str) -> None:
    # Events are read one by one: nothing grows before the limits are known to hold.
    depth = aliases = values = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        values += 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > CONFIG_DEPTH:
            raise Invalid(f"{name}: is nested deeper than {CONFIG_DEPTH} levels")
        if aliases > CONFIG_ALIASES:
            raise Invalid(f"{name}: has more than {CONFIG_ALIASES} aliases")
    if values > CONFIG_VALUES:
        raise Invalid(f"{name}: has more than {CONFIG_VALUES} values")


def inside(path: str, what: str) -> str:
    """`path` made normal and relative to the documentation's folder.

    Raises:
        Invalid: if it is absolute or leaves the folder; the message begins with `what`.
    """
    normal = posixpath.normpath(path.replace("\\", "/"))
    if normal.startswith(("/", "../")) or normal == ".." or "\0" in normal:
        raise Invalid(f"{what}: {path!r} leaves the documentation's folder")
    return normal


def docs_dir(config: Mapping[str, Any], name: str = "mkdocs.yml") -> str:
    """The folder of the pages, relative to the configuration."""
    given = config.get("docs_dir")
    if given is None:
        return DEFAULT_DOCS_DIR
    if not isinstance(given, str) or not given:
        raise Invalid(f"{name}: docs_dir must be a path")
    return inside(given, f"{name}: docs_dir")


def includes(config: Mapping[str, Any]) -> list[str]:
    """The monorepo plugin's statements in `nav`, as written."""
    return list(_includes(config.get("nav"), CONFIG_DEPTH))


def _includes(nav: Any, depth: int) -> Iterator[str]:
    if depth == 0:
        return
    if isinstance(nav, str) and nav.startswith((INCLUDE, WILDCARD_INCLUDE)):
        yield nav
    elif isinstance(nav, list):
        for item in nav:
            yield from _includes(item, depth - 1)
    elif isinstance(nav, dict):
        for item in nav.values():
            yield from _includes(item, depth - 1)


def allowed(config: Mapping[str, Any]) -> Allowed:
    """`config` without what a site may not have; the rest is as it was written."""
    kept = Allowed({key: config[key] for key in config if key in KEYS})
    for key in sorted(config.keys() - KEYS - SILENT_KEYS):
        kept.warnings.append(f"mkdocs.yml: {key} is not allowed and was left out")
    kept.values["docs_dir"] = docs_dir(config)
    kept.values["theme"] = _theme(config.get("theme"), kept.warnings)
    kept.values["plugins"] = _plugins(config.get("plugins"), kept.warnings)
    if "techdocs-core" not in [next(iter(item)) for item in kept.values["plugins"]]:
        kept.values["plugins"].append({"techdocs-core": {}})
    kept.values["markdown_extensions"] = _extensions(
        config.get("markdown_extensions"), kept.warnings
    )
    return kept


def _theme(theme: Any, warnings: list[str]) -> dict[str, Any]:
    given = {"name": theme} if isinstance(theme, str) else theme
    if given is not None and not isinstance(given, dict):
        raise Invalid("mkdocs.yml: theme must be a name or a mapping")
    given = given or {}
    dropped = sorted(str(key) for key in given if key not in THEME_KEYS)
    warnings += [
        f"mkdocs.yml: theme.{key} was left out: not allowed" for key in dropped
    ]
    kept = {key: value for key, value in given.items() if key in THEME_KEYS}
    # techdocs-core sets this theme whatever is asked for.
    return {**kept, "name": "material"}


def _named(items: Any, what: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and options of each item of a list that mkdocs reads in three forms."""
    if items is None:
        return
    if isinstance(items, dict):
        items = [{key: value} for key, value in items.items()]
    if not isinstance(items, list):
        raise Invalid(f"mkdocs.yml: {what} must be a list")
    for item in items:
        pair: dict[Any, Any] = {item: None} if isinstance(item, str) else item
        if not isinstance(pair, dict) or len(pair) != 1:
            raise Invalid(f"mkdocs.yml: {what}: each item must be a name")
        name, options = next(iter(pair.items()))
        if options is not None and not isinstance(options, dict):
            raise Invalid(f"mkdocs.yml: {what}.{name}: options must be a mapping")
        yield str(name), dict(options or {})


def _plugins(items: Any, warnings: list[str]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for name, options in _named(items, "plugins"):
        if name not in PLUGINS:
            warnings.append(f"mkdocs.yml: plugin {name} is not allowed, was left out")
            continue
        if "plugins" in options:
            options["plugins"] = _plugins(options["plugins"], warnings)
        kept.append({name: _redirects(options) if name == "redirects" else options})
    return kept


def _redirects(options: dict[str, Any]) -> dict[str, Any]:
    maps = options.get("redirect_maps") or {}
    if not isinstance(maps, dict):
        raise Invalid("mkdocs.yml: plugins.redirects.redirect_maps must be a mapping")
    for source in maps:
        inside(str(source), "mkdocs.yml: plugins.redirects.redirect_maps")
    return {"redirect_maps": {str(key): str(value) for key, value in maps.items()}}


def _extensions(items: Any, warnings: list[str]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for name, options in _named(items, "markdown_extensions"):
        if name not in EXTENSIONS:
            warnings.append(
                f"mkdocs.yml: markdown extension {name} is not allowed, was left out"
            )
            continue
        for option in sorted(options.keys() & FORBIDDEN_OPTIONS.get(name, frozenset())):
            warnings.append(f"mkdocs.yml: {name}.{option} is not allowed, was left out")
            del options[option]
        if name == "pymdownx.snippets":
            options["base_path"] = _base_paths(options.get("base_path"))
        kept.append({name: options})
    return kept


def _base_paths(given: Any) -> list[str]:
    paths = [given] if isinstance(given, str) else given or ["."]
    if not isinstance(paths, list):
        raise Invalid("mkdocs.yml: pymdownx.snippets.base_path must be a path or paths")
    what = "mkdocs.yml: pymdownx.snippets.base_path"
    return [inside(str(path), what) for path in paths]
