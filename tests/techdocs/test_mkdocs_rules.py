"""What an mkdocs.yml may say, and what is told of the rest."""

import pytest

from services.techdocs import mkdocs_file as file
from services.techdocs import mkdocs_rules as rules
from shared.contracts.errors import Invalid, TooLarge


def test_allowed_settings_are_kept_and_others_reported() -> None:
    """Hooks, foreign plugins, theme folders and keys are removed with a warning."""
    config = file.read_config(
        b"site_name: A\nhooks: [evil.py]\nextra_javascript: [x.js]\n"
        b"theme: {name: material, custom_dir: over, features: [a]}\n"
        b"plugins: [techdocs-core, exec, {search: {lang: en}}]\n"
    )
    reduced = rules.allowed(config)
    assert reduced.values["plugins"] == [
        {"techdocs-core": {}},
        {"search": {"lang": "en"}},
    ]
    assert reduced.values["theme"] == {"name": "material", "features": ["a"]}
    assert "hooks" not in reduced.values
    log_lines = " ".join(reduced.warnings)
    for word in ("hooks", "extra_javascript", "custom_dir", "plugin exec"):
        assert word in log_lines


def test_the_core_plugin_is_added() -> None:
    """A site without techdocs-core gets it, as in Backstage."""
    assert {"techdocs-core": {}} in rules.allowed({"site_name": "A"}).values["plugins"]


def test_plugins_in_a_group_obey_the_allow_list() -> None:
    """The plugins inside a group obey the same list."""
    config = {"plugins": [{"group": {"plugins": ["exec", "search"]}}]}
    reduced = rules.allowed(config)
    assert reduced.values["plugins"][0] == {"group": {"plugins": [{"search": {}}]}}


@pytest.mark.parametrize(
    ("extension", "reduced"),
    [
        ("os", None),
        ("pymdownx.b64", None),
        ("footnotes", {}),
        (
            {"plantuml_markdown": {"plantuml_cmd": "rm", "format": "svg"}},
            {"format": "svg"},
        ),
        ({"plantuml_markdown": {"server": "http://x"}}, {}),
    ],
)
def test_only_listed_extensions_with_safe_options_pass(
    extension: object, reduced: object
) -> None:
    """Naming an extension imports a module."""
    result = rules.allowed({"markdown_extensions": [extension]})
    values = [
        next(iter(item.values())) for item in result.values["markdown_extensions"]
    ]
    assert values == ([] if reduced is None else [reduced])
    assert bool(result.warnings) == (reduced is None or reduced != _options(extension))


def _options(extension: object) -> object:
    return next(iter(extension.values())) if isinstance(extension, dict) else {}


#: Nine levels of nine references each: 80 aliases that mean 400 million values.
ALIASES = b"a0: &a0 [x]\n" + b"".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n".encode() for n in range(1, 10)
)
#: Each mapping merges the one before ten times: PyYAML alone would write them all out.
MERGES = "m0: &m0 {k: 1}\n" + "".join(
    f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}], k{n}: 1}}\n"
    for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"- a", "must be a mapping"),
        (b"a: [", "YAML error: did not find expected node content at line 2"),
        (b"a: b: c", r"at line 1, column 5: a text with ': ' in it needs quotes"),
        (b"a: " + b"[" * 60 + b"]" * 60, "deeper than"),
        (b"a: &a 1\nb: [" + b"*a, " * 120 + b"1]", "aliases"),
        (ALIASES, "too many aliases"),
        (
            b"a: &a " + b"x" * 20_000 + b"\nb: [" + b"*a, " * 90 + b"]",
            "too many aliases",
        ),
        (b"\xff\xfe\x00", "YAML error"),
        (MERGES.encode(), "too many aliases"),
    ],
)
def test_bad_yaml_is_refused_with_the_reason(text: bytes, message: str) -> None:
    """Anything but a plain configuration is an error that names the cause."""
    with pytest.raises(Invalid, match=message):
        file.read_config(text)


def test_a_huge_configuration_is_refused() -> None:
    """The error has the limit in bytes."""
    with pytest.raises(TooLarge, match="262147 bytes, at most 262144"):
        file.read_config(b"a: " + b"x" * file.CONFIG_BYTES)


def test_known_python_tags_are_kept_as_names() -> None:
    """The tags that emoji and Mermaid need; nothing is imported."""
    text = b"a: !!python/name:material.extensions.emoji.twemoji\n"
    result = file.read_config(text)
    assert result == {"a": file.PythonName("material.extensions.emoji.twemoji")}


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/name:os.system",
        "!!python/object/apply:os.system [ls]",
        "!!python/object/apply:pymdownx.slugs.slugify [x]",
        "!!python/object/apply:pymdownx.slugs.slugify {kwds: {case: [lower]}}",
        "!!python/object/apply:pymdownx.slugs.slugify {kwds: {sep: x}}",
        "!!python/object/new:os.system [ls]",
        "!!python/module:os",
        "!custom 1",
    ],
)
def test_a_foreign_tag_is_left_out_with_its_line(tag: str) -> None:
    """The rest of the configuration counts; the writer is told the line and the tag."""
    text = f"site_name: A\nextra:\n  here: {tag}\n  b: [{tag}, 1]\nsite_author: {tag}\n"
    result = rules.allowed(file.read_config(text.encode()))
    assert result.values["extra"] == {"b": [1]}
    assert "site_author" not in result.values
    lines = [line for line in result.warnings if "is not allowed" in line]
    assert len(lines) == 3
    assert lines[0].startswith(f"mkdocs.yml line 3: {tag.split(maxsplit=1)[0]}")


def test_documented_slug_functions_are_built_with_options() -> None:
    """Slugs as in the manual of Material, in both spellings."""
    text = (
        b"a: !!python/object/apply:pymdownx.slugs.slugify\n  kwds:\n    case: lower\n"
        b"b: !!python/name:pymdownx.slugs.uslugify\n"
        b"c: !!python/name:mermaid2.fence_mermaid\n"
    )
    assert file.read_config(text) == {
        "a": file.PythonName("pymdownx.slugs.slugify", (("case", "lower"),)),
        "b": file.PythonName("pymdownx.slugs.uslugify"),
        "c": file.PythonName("pymdownx.superfences.fence_code_format"),
    }


@pytest.mark.parametrize(
    "template",
    [
        "{path.__class__}",
        "{path:99999999}",
        "{path!r}",
        "{0}",
        "{config}",
        "{",
        "{path",
    ],
)
def test_an_edit_template_may_refer_to_the_path_only(template: str) -> None:
    """Attributes and widths of Python's formatting are removed with a warning."""
    result = rules.allowed({"edit_uri_template": template})
    assert "edit_uri_template" not in result.values
    assert "edit_uri_template" in result.warnings[0]
    good = rules.allowed({"edit_uri_template": "e/{path}?x={path_noext!q}"})
    assert good.values["edit_uri_template"] == "e/{path}?x={path_noext!q}"


def test_an_operator_can_allow_safe_plugins_only() -> None:
    """`allowPlugins` extends the list by safe plugins; others stay forbidden."""
    config = {"plugins": ["tags", "macros", "monorepo"]}
    result = rules.allowed(config, ["tags", "macros"])
    assert [next(iter(item)) for item in result.values["plugins"]] == [
        "tags",
        "techdocs-core",
    ]
    assert result.warnings == ["mkdocs.yml: plugin macros is not allowed, was left out"]
    assert "plugin tags" in rules.allowed(config).warnings[0]


def test_icon_folders_outside_the_docs_are_left_out() -> None:
    """Folders of icons outside the documentation are left out."""
    options = {"options": {"custom_icons": ["/usr"]}}
    result = rules.allowed({"markdown_extensions": [{"pymdownx.emoji": options}]})
    [emoji] = result.values["markdown_extensions"]
    assert emoji["pymdownx.emoji"]["options"]["custom_icons"] == []
    assert "custom_icons" in result.warnings[0]


def test_env_tags_give_their_default_only() -> None:
    """`!ENV` has the default in the file, never the service's environment."""
    result = file.read_config(b"a: !ENV PATH\nb: !ENV [PATH, HOME, given]\n")
    assert result == {"a": None, "b": "given"}


@pytest.mark.parametrize("path", ["/etc", "..", "../x", "a/../../x", "a\\..\\..\\x"])
def test_configured_paths_cannot_leave_the_docs_folder(path: str) -> None:
    """docs_dir and the folders of snippets."""
    with pytest.raises(Invalid, match="leaves the documentation's folder"):
        rules.allowed({"docs_dir": path})
    snippets = {"pymdownx.snippets": {"base_path": path}}
    with pytest.raises(Invalid, match="leaves the documentation's folder"):
        rules.allowed({"markdown_extensions": [snippets]})
    with pytest.raises(Invalid, match="redirect_maps"):
        rules.allowed({"plugins": [{"redirects": {"redirect_maps": {path: "x.md"}}}]})


@pytest.mark.parametrize("items", [5, "a", [5], {"a": "b"}])
def test_lists_of_texts_are_checked_by_name(items: object) -> None:
    """Themes and pages would fail on them later, without naming the setting."""
    with pytest.raises(Invalid, match=r"mkdocs\.yml: theme.features must be a list of"):
        rules.allowed({"theme": {"features": items}})
    with pytest.raises(
        Invalid, match=r"mkdocs\.yml: extra_css must be a list of texts"
    ):
        rules.allowed({"extra_css": items})


def test_includes_are_found_at_any_depth() -> None:
    """The monorepo plugin's statements are distinguished from pages."""
    nav = [{"A": "a.md"}, {"B": [{"C": "!include ./c/mkdocs.yml"}]}, "*include x/*.yml"]
    assert file.includes({"nav": nav}) == [
        "!include ./c/mkdocs.yml",
        "*include x/*.yml",
    ]


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("blob/main/docs/", True),
        ("?q=a:b", True),
        ("https://git.example/x/", True),
        ("/x:y/", True),
        ("file:", False),
        ("file:///etc/", False),
        (" JavaScript:alert(1)//", False),
        ("java\tscript:alert(1)//", False),
        ("data:text/html,x", False),
    ],
)
def test_configured_addresses_have_safe_schemes_only(
    address: str, is_allowed: bool
) -> None:
    """Links that a setting makes lead to a path, or to the web."""
    extensions = [{"wikilinks": {"base_url": address}}]
    result = rules.allowed({"edit_uri": address, "markdown_extensions": extensions})
    [options] = [
        item["wikilinks"]
        for item in result.values["markdown_extensions"]
        if "wikilinks" in item
    ]
    assert ("edit_uri" in result.values) is is_allowed
    assert ("base_url" in options) is is_allowed
    assert len(result.warnings) == (0 if is_allowed else 2)


def test_the_number_of_includes_is_limited() -> None:
    """Each one is a site to read."""
    nav = [{"A": f"*include {number}/*/mkdocs.yml"} for number in range(51)]
    with pytest.raises(Invalid, match="over 50 times with wildcards"):
        file.includes({"nav": nav})
    assert len(file.includes({"nav": nav[:50] * 2})) == 50


def test_escaped_pairs_and_unusual_characters_are_text() -> None:
    """As in every other YAML file."""
    text = r'site_name: "\ud83d\ude80"' + "\nsite_author: 'a\x07 \\ud83d\\ude80'\n"
    config = file.read_config(text.encode())
    assert config == {"site_name": "🚀", "site_author": "a\x07 \\ud83d\\ude80"}
