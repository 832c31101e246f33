"""Reads a site's mkdocs.yml as plain data, with paths inside its own folder.

`mkdocs_rules` says which settings a site may have.
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from shared.contracts.errors import Invalid
from shared.guards.globs import Glob
from shared.guards.trees import check_tree
from shared.guards.yaml_encoding import decode
from shared.guards.yaml_events import with_standins, without_standins
from shared.guards.yaml_text import YamlLimits, load_yaml

#: A mkdocs.yml as it was read: plain data, whose settings are checked one by one.
SiteConfig = dict[str, Any]

CONFIG_NAMES = ("mkdocs.yaml", "mkdocs.yml")
DEFAULT_DOCS_DIR = "docs"
CONFIG_BYTES = 256 * 1024
CONFIG_DEPTH = 40
CONFIG_ALIASES = 100
CONFIG_VALUES = 20_000
CONFIG_TEXT = 4 * CONFIG_BYTES
INCLUDE = "!include "
WILDCARD_INCLUDE = "*include "
INCLUDES, WILDCARD_INCLUDES = 500, 50
YAML_NAMES = (".yml", ".yaml")

#: What is checked, with what aliases and merges stand for, before PyYAML follows it.
LIMITS = YamlLimits(
    size=CONFIG_BYTES,
    depth=CONFIG_DEPTH,
    nodes=CONFIG_VALUES,
    aliases=CONFIG_ALIASES,
    expansion=CONFIG_VALUES,
)

#: Functions that manuals of Material and of PyMdown name in their examples.
PYTHON_NAMES = frozenset(
    f"{module}.{name}"
    for module, names in {
        "markdown.extensions.toc": ("slugify", "slugify_unicode"),
        "material.extensions.emoji": ("to_svg", "twemoji"),
        "materialx.emoji": ("to_svg", "twemoji"),
        "pymdownx.arithmatex": (
            "fence_generic_format",
            "fence_mathjax_format",
            "inline_generic_format",
            "inline_mathjax_format",
        ),
        "pymdownx.emoji": (
            "emojione",
            "gemoji",
            "to_alt",
            "to_png",
            "to_svg",
            "twemoji",
        ),
        "pymdownx.slugs": (
            "gfm",
            "gfm_encoded",
            "uslugify",
            "uslugify_cased",
            "uslugify_cased_encoded",
            "uslugify_encoded",
        ),
        "pymdownx.superfences": ("fence_code_format", "fence_div_format"),
    }.items()
    for name in names
)
#: The same functions under the names of packages that are not installed here.
OTHER_NAMES: Mapping[str, str] = {
    "mermaid2.fence_mermaid": "pymdownx.superfences.fence_code_format",
    "mermaid2.fence_mermaid_custom": "pymdownx.superfences.fence_code_format",
}
#: Functions that make such a function, and the values that their keywords may have.
PYTHON_MAKERS: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "pymdownx.arithmatex.arithmatex_fenced_format": {
        "mode": ("generic", "mathjax"),
        "tag": ("div", "pre", "span"),
    },
    "pymdownx.arithmatex.arithmatex_inline_format": {
        "mode": ("generic", "mathjax"),
        "tag": ("div", "span"),
    },
    "pymdownx.slugs.slugify": {
        "case": ("none", "lower", "lower-ascii", "fold"),
        "percent_encode": (True, False),
        "normalize": ("NFC", "NFD", "NFKC", "NFKD"),
    },
}
_STANDARD_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class PythonName:
    """A function that a tag names, or makes with keywords; only allowed ones exist."""

    name: str
    keywords: tuple[tuple[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class ForeignTag:
    """A value whose YAML tag is not allowed; it is left out with a warning."""

    tag: str
    line: int


class _Loader(yaml.CSafeLoader):
    """YAML's plain types and the few tags that mkdocs' users need."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """The scalar's text as it is written, without what stands in for it."""
        value = super().construct_scalar(node)
        if isinstance(value, str) and isinstance(node, yaml.ScalarNode):
            return without_standins(value, node.style)
        return value


def _python_name(_loader: Any, suffix: str, node: yaml.Node) -> Any:
    name = OTHER_NAMES.get(suffix, suffix)
    return PythonName(name) if name in PYTHON_NAMES else _foreign(node)


def _python_maker(loader: Any, suffix: str, node: yaml.Node) -> Any:
    """`!!python/object/apply:` with keywords, for the makers whose keywords fit."""
    allowed = PYTHON_MAKERS.get(suffix)
    if allowed is None or not isinstance(node, yaml.MappingNode):
        return _foreign(node)
    options = loader.construct_mapping(node, deep=True)
    keywords = options.get("kwds") or {}
    if options.keys() - {"kwds", "args"} or options.get("args"):
        return _foreign(node)
    if not isinstance(keywords, dict) or any(
        value not in allowed.get(key, ()) for key, value in keywords.items()
    ):
        return _foreign(node)
    return PythonName(suffix, tuple(sorted(keywords.items())))


def _foreign(node: yaml.Node) -> ForeignTag:
    tag = str(node.tag)
    if tag.startswith(_STANDARD_TAG):
        tag = "!!" + tag.removeprefix(_STANDARD_TAG)
    return ForeignTag(tag[:100], node.start_mark.line + 1)


def _environment(loader: Any, node: yaml.Node) -> Any:
    """`!ENV [A, B, default]`: the builder's environment is empty, so the default."""
    if isinstance(node, yaml.SequenceNode):
        values = loader.construct_sequence(node)
        return values[-1] if len(values) > 1 else None
    return None


def _relative(loader: Any, node: yaml.Node) -> str:
    """`!relative $config_dir/x`: every path here is relative to the configuration."""
    return str(loader.construct_scalar(node)).rpartition("$config_dir/")[2] or "."


def _unknown(_loader: Any, _suffix: str, node: yaml.Node) -> ForeignTag:
    return _foreign(node)


_Loader.add_multi_constructor(f"{_STANDARD_TAG}python/name:", _python_name)
_Loader.add_multi_constructor(f"{_STANDARD_TAG}python/object/apply:", _python_maker)
_Loader.add_constructor("!ENV", _environment)
_Loader.add_constructor("!relative", _relative)
_Loader.add_multi_constructor("", _unknown)


def read_config(text: bytes, name: str = "mkdocs.yml") -> SiteConfig:
    """The configuration in `text`, as it was written.

    Raises:
        Invalid: if it is no YAML mapping or is nested too deeply.
        TooLarge: if it is over `CONFIG_BYTES`.
    """
    load_yaml(
        text, label=name, limits=LIMITS, old=True, read_tag=_keep, unique_keys=False
    )
    try:
        config = yaml.load(with_standins(decode(text)), Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise Invalid(f"{name}: YAML error: {reason}") from error
    if config is None:
        return {}
    # An alias is one value that stands in many places: what is walked is counted.
    check_tree(
        config, label=name, nodes=CONFIG_VALUES, depth=CONFIG_DEPTH, text=CONFIG_TEXT
    )
    if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
        raise Invalid(f"{name}: must be a mapping of settings")
    return config


def _keep(_tag: str, value: Any) -> Any:
    return value


def known_values(value: Any, warnings: list[str], name: str = "mkdocs.yml") -> Any:
    """`value` without values of foreign tags; a warning names each one's line."""
    if isinstance(value, dict):
        pairs = [(key, known_values(value[key], warnings, name)) for key in value]
        return {key: item for key, item in pairs if not isinstance(item, ForeignTag)}
    if isinstance(value, list):
        items = [known_values(item, warnings, name) for item in value]
        return [item for item in items if not isinstance(item, ForeignTag)]
    if isinstance(value, ForeignTag):
        warnings.append(
            f"{name} line {value.line}: {value.tag} is not allowed and was left out"
        )
    return value


def inside(path: str, label: str) -> str:
    """`path` made normal and relative to the documentation's folder.

    Raises:
        Invalid: if it is absolute or leaves the folder; the message begins with `what`.
    """
    normal = posixpath.normpath(path.replace("\\", "/"))
    if normal.startswith(("/", "../")) or normal == ".." or "\0" in normal:
        raise Invalid(f"{label}: {path!r} leaves the documentation's folder")
    return normal


def docs_dir(config: SiteConfig, name: str = "mkdocs.yml") -> str:
    """The folder of the pages, relative to the configuration."""
    folder = config.get("docs_dir")
    if folder is None:
        return DEFAULT_DOCS_DIR
    if not isinstance(folder, str) or not folder:
        raise Invalid(f"{name}: docs_dir must be a path")
    return inside(folder, f"{name}: docs_dir")


def include_glob(statement: str) -> Glob:
    """The files that an include statement with wildcards means.

    Raises:
        Invalid: if they are no YAML files of the documentation's folder.
    """
    pattern = inside(statement.removeprefix(WILDCARD_INCLUDE), "mkdocs.yml: nav")
    if not pattern.endswith(YAML_NAMES):
        raise Invalid(f"mkdocs.yml: nav: {statement!r} must name a YAML file")
    return Glob(pattern, dot=True, label="mkdocs.yml: nav")


def includes(config: SiteConfig) -> list[str]:
    """The monorepo plugin's statements in `nav`, as written.

    Raises:
        Invalid: if there are too many.
    """
    statements = list(dict.fromkeys(_includes(config.get("nav"), CONFIG_DEPTH)))
    wildcards = sum(statement.startswith(WILDCARD_INCLUDE) for statement in statements)
    if len(statements) > INCLUDES or wildcards > WILDCARD_INCLUDES:
        raise Invalid(
            f"mkdocs.yml: nav: includes over {INCLUDES} sites, or over "
            f"{WILDCARD_INCLUDES} times with wildcards"
        )
    return statements


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
