"""What is learned of a secret as templates are rendered, and that it shows nowhere."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.model import Initiator, Task, fresh_steps
from services.scaffolder.secrets.dual_values import DualValue, LearningDialect, render
from services.scaffolder.secrets.redaction import Redactor
from services.scaffolder.secrets.vault import FernetVault
from services.scaffolder.store import documents
from tests.scaffolder.dialect.expressions import DIALECT
from tests.scaffolder.secret_flows import SECRET


def test_learned_secret_texts_survive_a_restart() -> None:
    """The next process knows the texts made of secrets; they are stored encrypted."""
    vault = FernetVault("house")
    spec = {"steps": [{"id": "a", "name": "a"}], "parameters": {}}
    task = Task("1", spec, Initiator("user:default/ann"), steps=fresh_steps(spec))
    task.is_confidential = True
    first = Redactor([SECRET])
    first.learn("x-" + SECRET[3:9] + "-y", "x-***-y")
    task.learned = first.learned
    document = documents.written(task, vault)
    assert SECRET[3:9] not in str(document)
    second = Redactor()
    second.recall(documents.read(document, vault).learned)
    assert second.text(f"got x-{SECRET[3:9]}-y") == "got x-***-y"


def test_files_with_parts_of_secrets_are_learned() -> None:
    """A line with a part of a secret is known when the file is read again."""
    redactor = Redactor([SECRET])
    public = {"values": {"k": "***"}}
    dialect = LearningDialect(TemplateDialect(), public, redactor)
    text = "first\nkey: ${{ values.k[3] ~ values.k.slice(4, 7) }}\nlast ${{ values.k }}"
    rendered_text = dialect.text(text, {"values": {"k": SECRET}})
    assert SECRET[3:7] in rendered_text
    assert SECRET[3:7] not in redactor.text(f"Workspace:\n{rendered_text}")


PIPES = st.lists(
    st.sampled_from(
        [
            "upper", "lower", "reverse", "title", "capitalize", "trim", "dump",
            "urlencode", "escape", "length", "list", "first", "last", "join('-')",
            "center(40)", "replace('o', 'u')", "truncate(9)", "wordcount", "string",
            "batch(3)", "int", "float", "indent(2)", "striptags", "urlize", "random",
            "sort", "groupby('a')", "default('none')", "pick('a')", "parseEntityRef",
        ]
    ),
    max_size=4,
)  # fmt: skip
SHAPES = st.sampled_from(
    [
        "${{ %s }}",
        "say ${{ %s }} now",
        "{%% if %s %%}yes{%% else %%}no{%% endif %%}",
        "{%% for c in (%s) | string %%}${{ c }} {%% endfor %%}",
        "{%% set x = %s %%}${{ [x, {y: x}] | dump }}",
        "${{ ('a' if (%s) == 'x' else 'b') ~ (%s) }}",
    ]
)


@settings(max_examples=300, deadline=None)
@given(pipes=PIPES, shape=SHAPES, one=st.text(min_size=1), other=st.text(min_size=1))
def test_public_output_does_not_depend_on_the_secret(
    pipes: list[str], shape: str, one: str, other: str
) -> None:
    """Two runs that differ in a secret alone look the same, whatever the template."""
    source = shape.replace("%s", " | ".join(["secrets.key", *pipes]))
    source = source.replace("%%", "%")
    public = {"secrets": {"key": "***"}}
    public_values = []
    for secret in (one, other):
        redactor = Redactor([secret])
        context = DualValue({"secrets": {"key": secret}}, public)
        dual_value, failures = render(DIALECT, {"m": source}, context, redactor)
        public_values.append((dual_value.public, failures))
    assert public_values[0] == public_values[1]
