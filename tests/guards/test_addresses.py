"""Which addresses `backend.reading.allow` lets through: one table for every reader."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.errors import Invalid
from shared.guards.addresses import (
    AddressRule,
    join_address,
    local_address,
    normal_netloc,
    parse_address,
    require_no_password,
    split_address,
)
from tests.costs import limit_processor_time

RULES = [
    AddressRule("files.example", ["/public", "/a b/"]),
    AddressRule("127.0.0.1:8081", ["/public/"]),
    AddressRule("*.docs.example"),
    AddressRule("plain.example"),
    AddressRule("bücher.example"),
    AddressRule("[::1]:8081"),
]
ALLOWED = [
    "https://files.example/public",
    "https://files.example/public/",
    "https://files.example/public/a.yaml",
    "http://files.example:80/public/a.yaml",
    "https://files.example:443/public/a.yaml",
    "https://FILES.Example/public/a.yaml",
    "https://files.example./public/a.yaml",
    "HTTPS://files.example/public/a.yaml",
    "https://files.example/public/a.yaml?x=/../../y#z",
    "https://files.example/x/../public/a.yaml",
    "https://files.example/public/./b/../a.yaml",
    "https://files.example/%70ublic/a.yaml",
    "https://files.example/public/ü.yaml",
    "https://files.example/public/a%20b%2Bc.yaml",
    "https://files.example/a%20b/c.yaml",
    "https://files.example/a b/c.yaml",
    "https://files.example//public/a.yaml",
    "http://127.0.0.1:8081/public/a.yaml",
    "https://a.docs.example/x",
    "https://a.b.docs.example/../x",
    "https://plain.example",
    "https://plain.example/any/where%2f..%2fx",
    "https://bücher.example/x",
    "https://xn--bcher-kva.example/x",
    "https://BÜCHER.example/x",
    "http://[::1]:8081/x",
    "http://[0:0:0:0:0:0:0:1]:8081/x",
]
REFUSED = [
    "https://files.example/",
    "https://files.example/secret",
    "https://files.example/publicity/a.yaml",
    "https://files.example/public-other/a.yaml",
    "https://files.example/publicsecret.yaml",
    "https://files.example/public.yaml",
    "https://files.example/Public/a.yaml",
    "https://files.example/public/../secret.yaml",
    "https://files.example/public/%2e%2e/secret.yaml",
    "https://files.example/public/%2E./secret.yaml",
    "https://files.example/public/..%2fsecret.yaml",
    "https://files.example/public/%2e%2e%2fsecret.yaml",
    "https://files.example/public/%2e%2e%5csecret.yaml",
    "https://files.example/public/..%5csecret.yaml",
    "https://files.example/public/%252e%252e/secret.yaml",
    "https://files.example/public/..%252fsecret.yaml",
    "https://files.example/public/%25252e%25252e/secret.yaml",
    "https://files.example/public\\..\\secret.yaml",
    "https://files.example/public/..\\secret.yaml",
    "https://files.example//public/../secret",
    "https://files.example/public//../../secret",
    "https://files.example/public//..%2f..%2fsecret",
    "https://files.example/public/./../x/../../secret.yaml",
    "https://files.example/public/x/../../secret",
    "https://files.example/public%2f..%2f..%2fsecret",
    "https://files.example/a%20bc/c.yaml",
    "https://files.example:8443/public/a.yaml",
    "https://user@files.example/public/a.yaml",
    "https://user:word@files.example/public/a.yaml",
    "https://@files.example/public/a.yaml",
    "https://files.example@other.example/public/a.yaml",
    "https://files.example:80@other.example/public/a.yaml",
    "https://other.example/public/a.yaml",
    "https://files.example.other.example/public/a.yaml",
    "https://xfiles.example/public/a.yaml",
    "https://a.files.example/public/a.yaml",
    "http://127.0.0.1/public/a.yaml",
    "http://127.0.0.1:8082/public/a.yaml",
    "http://127.1:8081/public/a.yaml",
    "http://2130706433:8081/public/a.yaml",
    "http://0x7f.1:8081/public/a.yaml",
    "http://0177.0.0.1:8081/public/a.yaml",
    "http://[::ffff:127.0.0.1]:8081/public/a.yaml",
    "http://[::1%25lo]:8081/x",
    "http://0:8081/public/a.yaml",
    "https://docs.example/x",
    "https://xdocs.example/x",
    "https://docs.example.other/x",
    "http://127.0.0.1:9#.docs.example/",
    "http://127.0.0.1:9\\.docs.example/x",
    "http://127.0.0.1:9?.docs.example",
    "http://127.0.0.1:9%2f.docs.example/",
    "http://127.0.0.1:9%23.docs.example/",
    "http://127.0.0.1%00.docs.example/",
    "http://127.0.0.1:9\t.docs.example/",
    "http://127.0.0.1\n.docs.example/",
    "http://a@127.0.0.1:9/.docs.example",
    "https://a b.docs.example/x",
    "https://-a.docs.example/x",
    "https://..docs.example/x",
    "https://plain.example:0x50/",
    "https://plain.example:99999/",
    "file:///etc/passwd",
    "ftp://plain.example/x",
    "gopher://plain.example:70/_x",
    "http:///etc/passwd",
    "//plain.example/x",
    "plain.example/x",
    "javascript:alert(1)",
    "data:text/plain,x",
    "",
    "https://plain.example/" + "x" * 5000,
]


def is_allowed(url: str) -> bool:
    try:
        address = parse_address(url)
    except Invalid:
        return False
    return any(rule.covers(address) for rule in RULES)


@pytest.mark.parametrize("url", ALLOWED)
def test_an_address_that_a_rule_allows_is_accepted(url: str) -> None:
    """However its host, port and escapes are written."""
    assert is_allowed(url)


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_no_rule_allows_is_refused(url: str) -> None:
    """Also where only some programs would read it as another address."""
    assert not is_allowed(url)


PIECES = st.sampled_from(
    ["public", "..", ".", "", "x", "%2e%2e", "%2e", "..%2f", "%2fpublic", "\\", "%5c"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=7))
def test_no_spelling_of_a_path_leaves_an_allowed_path(pieces: list[str]) -> None:
    """An allowed path begins with the rule's path, in every order of unescaping."""
    url = "https://files.example/" + "/".join(pieces)
    if is_allowed(url):
        address = parse_address(url)
        assert address.url.startswith("https://files.example/")
        readings = list(address.readings())
        assert all(
            reading[0] == "public" and ".." not in reading for reading in readings
        )


@pytest.mark.parametrize(
    "host", ["*", "*.", "a.*.example", "**.x", "a/b", "u@h", "", "x y"]
)
def test_a_rule_names_a_host_or_a_domain(host: str) -> None:
    """Anything else is an error of the configuration, not a rule that never fits."""
    with pytest.raises(Invalid, match="host"):
        AddressRule(host)


def test_configured_hosts_are_normalized() -> None:
    """As addresses over https have them."""
    assert normal_netloc("GitHub.com:443") == "github.com"
    assert normal_netloc("git.example.org.:8443") == "git.example.org:8443"


def test_errors_of_an_address_do_not_repeat_its_password() -> None:
    """Whatever else is wrong with the address."""
    for url in ("https://u:hidden@h.example/x", "https://u:hidden@h.example:x/\\"):
        with pytest.raises(Invalid) as raised:
            parse_address(url)
        assert "hidden" not in raised.value.message


@pytest.mark.parametrize("text", ["http://[x", "//]", "https://u:hidden@a\u2100b/"])
def test_an_unparsable_address_is_refused_with_its_field(text: str) -> None:
    """Python's own error has no field and may show the password."""
    for refused in (
        lambda: split_address(text, "target"),
        lambda: join_address("https://h.example/", text, "target"),
    ):
        with pytest.raises(Invalid, match=r"^target: ") as raised:
            refused()
        assert "hidden" not in raised.value.message


#: A letter with marks that are in order only after each has gone before all others.
MARKED = "ก" + "\u0e48" * 100_000 + "\u0e38" * 100_000


@pytest.mark.parametrize(
    "url",
    [
        f"https://{MARKED}/a",
        f"//{MARKED}",
        f" \nht\ttps:/\r/u@{MARKED}:80?q",
        f"git+ssh://a.{MARKED}#f",
    ],
)
def test_a_host_of_combining_marks_is_refused_fast(url: str) -> None:
    """Python would sort its marks for a minute before it checks the host."""
    for refused in (
        lambda: split_address(url, "target"),
        lambda: join_address("https://h.example/", url, "target"),
        lambda: join_address(url, "a", "target"),
    ):
        with limit_processor_time(1), pytest.raises(Invalid, match=r"target: .* 512"):
            refused()


@pytest.mark.parametrize("url", [f"/a/{MARKED}", f"https://h.example/?q={MARKED}"])
def test_combining_marks_outside_the_host_are_accepted(url: str) -> None:
    """Only hosts are normalized: path and query may hold any marks."""
    with limit_processor_time(1):
        parts = split_address(url)
        assert MARKED in parts.path + parts.query
        assert MARKED in join_address("https://h.example/", url)


def test_the_longest_address_of_marks_is_refused_fast() -> None:
    """Within the length limit, a host is refused before it is normalized."""
    url = f"https://{MARKED[98_000:102_000]}/"
    with limit_processor_time(1):
        for _ in range(200):
            with pytest.raises(Invalid, match="512"):
                parse_address(url)


@pytest.mark.parametrize(
    ("requested", "address"),
    [
        ("/catalog?x=1", "/catalog?x=1"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/sign-in?next=/", "/"),
        ("/a\nb", "/"),
        ("", "/"),
    ],
)
def test_a_redirect_target_stays_on_this_site(requested: str, address: str) -> None:
    """A link to the sign-in page must not redirect people to another site."""
    assert local_address(requested) == address


@pytest.mark.parametrize(
    "address",
    [
        "https://ben:secret1@host.example/a.yaml",
        "url:https://ben:secret1@host.example/a.yaml",
        "HTTP://ben:secret1@host.example:8080/",
        "//ben:secret1@host.example/",
        "https:\\\\ben:secret1@host.example/",
        "ht\ntps://ben:secret1@host.example/",
        "https://:secret1@host.example/",
        "https://ben@corp:secret1@host.example/",
        "https://ben:secret1@[::1]:80/",
        "https://ben%3Asecret1@host.example/",
        "https://ben:secret1/with/slash@host.example/",
        "https://ben:secret1#x@host.example/",
        "git+https://ben:secret1@host.example/",
        "url: https://ben:secret1@host.example/",
        "view:source:https://ben:secret1@host.example/",
        "https:/ben:secret1@host.example/",
        "url:ftp://ben:secret1@host.example/",
        "https://ghp_secret1@host.example/",
        "url:https://github_pat_secret1@host.example/",
        "https://glpat-secret1@host.example/",
        f"https://secret1{'x' * 40}@host.example/",
    ],
)
def test_an_address_that_is_shown_holds_no_password(address: str) -> None:
    """However it is written, and the message does not repeat it."""
    with pytest.raises(Invalid, match=r"^target: must not hold a password") as error:
        require_no_password(address, "target")
    assert "secret1" not in str(error.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://host.example/a:b@c/x.yaml",
        "https://host.example:8080/a@b",
        "https://[::1]:80/a@b",
        "https://[::1]/a@b",
        "https://org@dev.azure.com/org/project/_git/repo",
        "https://host.example?mail=a:b@c",
        "url:https://host.example/@scope/a:b.yaml",
        "./a:b@c.yaml",
        "docker://shop/nginx:1.2@sha256:abc",
        "docker://nginx:1.2@sha256:abc",
        "ssh://git@host.example/shop.git",
        "https://global-corp@dev.azure.com/global-corp/p/_git/r",
        "https://glass-works@dev.azure.com/glass-works/p/_git/r",
        "https://somebody.with.a.long.name%40department.example@host.example/",
        "a:b@c",
        "",
    ],
)
def test_what_is_no_password_is_allowed(address: str) -> None:
    """Ports, paths, users alone, and what is no http(s) address."""
    require_no_password(address, "target")


def test_errors_mask_passwords_with_slashes() -> None:
    """An address that is malformed for its password alone."""
    with pytest.raises(Invalid) as error:
        parse_address("https://ben:pa/ss@host.example/")
    assert "ss@" not in str(error.value)
    assert "pa/" not in str(error.value)
