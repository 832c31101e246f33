"""Entity refs: read as Backstage reads them."""

import pytest

from shared.contracts.errors import Invalid
from shared.contracts.ref import parse_ref, ref_of
from tests.builders import component


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("component:default/web", "component:default/web"),
        ("Component:Shop/Web", "component:shop/web"),
        ("web", "component:default/web"),
        ("shop/web", "component:shop/web"),
        ("api:web", "api:default/web"),
        ("shop/a:b", "component:shop/a:b"),
    ],
)
def test_a_ref_is_canonical_when_printed(text: str, canonical: str) -> None:
    """Kind, namespace and name are found with and without their defaults."""
    assert str(parse_ref(text, default_kind="Component")) == canonical


@pytest.mark.parametrize("text", ["", ":", "a:", "a:/b", "a:b/", "/b", "web"])
def test_an_incomplete_ref_is_refused(text: str) -> None:
    """An empty part, or no kind without a default, is an error."""
    with pytest.raises(Invalid):
        parse_ref(text)


def test_the_ref_of_a_document_keeps_its_case() -> None:
    """The ref of a document keeps its case until it is printed."""
    ref = ref_of(component("Web"))
    assert (ref.kind, ref.name, str(ref)) == (
        "Component",
        "Web",
        "component:default/web",
    )


@pytest.mark.parametrize("document", [{}, {"kind": "X"}, {"metadata": {"name": "x"}}])
def test_a_document_without_a_name_or_kind_has_no_ref(document: object) -> None:
    """The missing field is named."""
    with pytest.raises(Invalid, match=r"metadata|kind"):
        ref_of(document)  # type: ignore[arg-type]
