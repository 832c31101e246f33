"""Web addresses of every kind of host, there and back."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.errors import Invalid
from shared.kit.git.addresses import (
    GitTarget,
    LinkKind,
    NotInRepository,
    is_folder,
    parse_url,
    resolve,
)

HOSTS = {
    "github.com": "github",
    "ghe.example.org:8443": "github",
    "gitlab.com": "gitlab",
    "gitea.example.org": "gitea",
    "bitbucket.org": "bitbucket_cloud",
    "bb.example.org": "bitbucket_server",
    "dev.azure.com": "azure",
    "tfs.example.org": "azure",
    "git.example.org": "local",
}
SHA = "0123456789abcdef0123456789abcdef01234567"
#: (address, repository, ref, path); an open ref is written `first|rest` by its slash.
ADDRESSES = [
    ("https://github.com/o/r", "o/r", "", ""),
    ("https://github.com/o/r.git", "o/r", "", ""),
    ("https://github.com/o/.github/blob/main/a.yaml", "o/.github", "main", "a.yaml"),
    (
        "https://github.com/o/r/blob/main/a%20b/%C3%BC%23.yaml",
        "o/r",
        "main",
        "a b/ü#.yaml",
    ),
    ("https://github.com/o/r/blob/main/ü b.yaml", "o/r", "main", "ü b.yaml"),
    ("https://github.com/o/r/blob/release%2Fv3/x.yaml", "o/r", "release/v3", "x.yaml"),
    ("https://github.com/o/r/tree/HEAD/docs/", "o/r", "", "docs"),
    ("https://github.com/o/r/blob/main/a/../b//./c", "o/r", "main", "b/c"),
    ("https://github.com/o/r/edit/main/a?plain=1#L3", "o/r", "main", "a"),
    ("https://github.com/o/r/blob/main/a?b.yaml", "o/r", "main", "a?b.yaml"),
    ("https://GITHUB.com:443/o/r/blob/main/x", "o/r", "main", "x"),
    ("https://github.com./o/r/blob/main/x", "o/r", "main", "x"),
    ("https://git@github.com/o/r/blob/main/x", "o/r", "main", "x"),
    ("https://ghe.example.org:8443/o/r/blame/v1/x", "o/r", "v1", "x"),
    (f"https://github.com/o/r/blob/{SHA}/x", "o/r", SHA, "x"),
    ("https://gitlab.com/g/s/t/r/-/blob/v1/x.yaml", "g/s/t/r", "v1", "x.yaml"),
    ("https://gitlab.com/g/r/-/raw/main/x?ref_type=heads", "g/r", "main", "x"),
    ("https://gitlab.com/g/s/r/blob/main/x.yaml", "g/s/r", "main", "x.yaml"),
    ("https://gitlab.com/g/tree/r/-/tree/main", "g/tree/r", "main", ""),
    ("https://gitlab.com/g/r/", "g/r", "", ""),
    ("https://gitea.example.org/o/r/src/branch/main/x", "o/r", "main", "x"),
    ("https://gitea.example.org/o/r/src/tag/v1/x", "o/r", "refs/tags/v1", "x"),
    (f"https://gitea.example.org/o/r/src/commit/{SHA}/x", "o/r", SHA, "x"),
    ("https://gitea.example.org/o/r/_edit/main/x", "o/r", "main", "x"),
    ("https://gitea.example.org/o/r/raw/branch/main/x", "o/r", "main", "x"),
    ("https://bitbucket.org/w/r/src/main/x.yaml", "w/r", "main", "x.yaml"),
    (f"https://bitbucket.org/w/r/src/{SHA}/x?at=a%2Fb", "w/r", "a/b", "x"),
    (
        "https://bb.example.org/projects/P/repos/r/browse/x?at=main",
        "P/repos/r",
        "main",
        "x",
    ),
    (
        "https://bb.example.org/projects/P/repos/r/raw/d/x?at=refs%2Fheads%2Fa%2Fb",
        "P/repos/r",
        "a/b",
        "d/x",
    ),
    (
        "https://bb.example.org/projects/P/repos/r/browse?at=refs/tags/v1",
        "P/repos/r",
        "refs/tags/v1",
        "",
    ),
    ("https://bb.example.org/users/jane/repos/r/browse/x", "~jane/repos/r", "", "x"),
    ("https://bb.example.org/projects/~jane/repos/r", "~jane/repos/r", "", ""),
    ("https://bb.example.org/scm/p/r.git", "P/repos/r", "", ""),
    ("https://dev.azure.com/o/p/_git/r", "o/p/_git/r", "", ""),
    ("https://dev.azure.com/o/_git/r?path=/x.yaml", "o/_git/r", "", "x.yaml"),
    (
        "https://dev.azure.com/o/Cross%20Team/_git/r?path=%2Fa%20b.yaml&version=GBa%2Fb",
        "o/Cross Team/_git/r",
        "a/b",
        "a b.yaml",
    ),
    (
        "https://dev.azure.com/o/Cross Team/_git/r?path=/x",
        "o/Cross Team/_git/r",
        "",
        "x",
    ),
    (
        "https://o@dev.azure.com/o/p/_git/r?version=GTv1",
        "o/p/_git/r",
        "refs/tags/v1",
        "",
    ),
    (
        f"https://dev.azure.com/o/p/_git/r?version=GC{SHA}&path=/x",
        "o/p/_git/r",
        SHA,
        "x",
    ),
    ("https://o.visualstudio.com/p/_git/r?path=/x&version=GBm", "o/p/_git/r", "m", "x"),
    ("https://tfs.example.org/tfs/All/p/_git/r?path=/x", "tfs/All/p/_git/r", "", "x"),
    ("https://git.example.org/payments/tree/main/", "payments", "main", ""),
]


@pytest.mark.parametrize(("url", "repository", "ref", "path"), ADDRESSES)
def test_addresses_of_each_host_are_parsed(
    url: str, repository: str, ref: str, path: str
) -> None:
    """Each host's own forms of a file's address are translated."""
    target = parse_url(url, HOSTS)
    assert target is not None
    assert (target.repository, target.ref, target.path) == (repository, ref, path)


@pytest.mark.parametrize(
    ("url", "clone"),
    [
        ("https://github.com/o/.github", "https://github.com/o/.github.git"),
        (
            "https://o.visualstudio.com/My%20P/_git/r",
            "https://dev.azure.com/o/My%20P/_git/r",
        ),
        (
            "https://bb.example.org/users/jane/repos/r",
            "https://bb.example.org/scm/~jane/r.git",
        ),
        (
            "https://bb.example.org/projects/PAY/repos/r",
            "https://bb.example.org/scm/pay/r.git",
        ),
        ("https://ghe.example.org:8443/o/r", "https://ghe.example.org:8443/o/r.git"),
    ],
)
def test_the_clone_address_is_the_hosts_own(url: str, clone: str) -> None:
    """Spaces are escaped, ports stay, and each host has its form."""
    target = parse_url(url, HOSTS)
    assert target is not None
    assert target.clone_url == clone


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/",
        "https://github.com/acme",
        "https://github.com/acme/r/pull/3",
        "https://github.com/acme/../x/y/z",
        "https://github.com/acme/..%2f..%2fetc/blob/main/x",
        "https://github.com/acme/a.git/b/blob/main/x",
        "https://gitlab.com/g/a.git/b/-/blob/main/x",
        "https://github.com/-x/r/blob/main/a",
        "https://github.com/acme/r%00/blob/main/a",
        "https://github.com/acme/r/blob",
        "https://dev.azure.com/acme/shop",
        "https://dev.azure.com/acme/shop/_git/r/commit/1",
        "https://bb.example.org/projects/P",
        "https://gitea.example.org/o/r/issues/1",
    ],
)
def test_an_invalid_address_shows_the_hosts_form(url: str) -> None:
    """The message holds the address and the host's form of one."""
    with pytest.raises(NotInRepository, match="such an address reads https://"):
        parse_url(url, HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/o/r/blob/main/../../../x",
        "https://github.com/o/r/blob/main/a/%2e%2e/%2e%2e/x",
        "https://github.com/o/r/blob/main/..%2fx",
        "https://bb.example.org/projects/P/repos/r/browse/../x",
        "https://dev.azure.com/o/p/_git/r?path=/../x",
    ],
)
def test_a_path_that_leaves_the_repository_is_refused(url: str) -> None:
    """It never becomes a path of another repository."""
    with pytest.raises(Invalid, match="leads outside the repository"):
        parse_url(url, HOSTS)


@pytest.mark.parametrize("mark", ["%0D", "%0A", "%00", "%1f", "%7F", "%09"])
@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/o/r/blob/main/a/b.yaml{}",
        "https://github.com/o/r/tree/main/a{}/b",
        "https://dev.azure.com/o/p/_git/r?path=/a/b.yaml{}",
    ],
)
def test_a_path_with_a_control_character_is_refused(url: str, mark: str) -> None:
    """Git drops some of them, and would read another file than requested."""
    with pytest.raises(Invalid, match="must not hold control characters"):
        parse_url(url.format(mark), HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example.org/a/b/blob/main/c",
        "https://github.com:8443/o/r",
        "https://ghe.example.org/o/r",
        "https://github.com@elsewhere.example.org/o/r",
        "https://u:p@github.com/o/r",
        "https://github.com\\@elsewhere.example.org/o/r",
        "ftp://github.com/o/r",
        "//github.com/o/r",
        "catalog-info.yaml",
        "https://[::1/o/r",
    ],
)
def test_addresses_of_other_hosts_are_no_repositories(url: str) -> None:
    """They are read over HTTP, or not at all."""
    assert parse_url(url, HOSTS) is None


NAMES = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/\\"
    ),
    min_size=1,
    max_size=8,
).filter(
    lambda name: (
        name not in (".", "..", "-", "_git", "HEAD")
        and not name.startswith("-")
        and not name.endswith(".git")
    )
)
SIMPLE = st.from_regex(r"[a-z][a-z0-9._-]{0,8}", fullmatch=True).filter(
    lambda name: not name.endswith(".git")
)
REFS = st.one_of(
    st.just(""),
    st.just(SHA),
    st.just("refs/tags/v1.0"),
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
).filter(lambda ref: not ref.startswith("refs/heads/"))
PATHS = st.lists(NAMES, max_size=3).map("/".join)
REPOSITORIES: Mapping[str, tuple[str, st.SearchStrategy[str]]] = {
    "github": ("github.com", st.tuples(NAMES, NAMES).map("/".join)),
    "gitlab": ("gitlab.com", st.lists(NAMES, min_size=2, max_size=4).map("/".join)),
    "gitea": ("gitea.example.org", st.tuples(NAMES, NAMES).map("/".join)),
    "bitbucket_cloud": ("bitbucket.org", st.tuples(NAMES, NAMES).map("/".join)),
    "bitbucket_server": ("bb.example.org", SIMPLE.map("~{0}/repos/{0}".format)),
    "azure": (
        "dev.azure.com",
        st.tuples(NAMES, NAMES).map("org/{0[0]}/_git/{0[1]}".format),
    ),
    "local": ("git.example.org", SIMPLE),
}
TARGETS = st.sampled_from(sorted(REPOSITORIES)).flatmap(
    lambda kind: st.builds(
        GitTarget,
        st.just(kind),
        st.just(REPOSITORIES[kind][0]),
        REPOSITORIES[kind][1],
        REFS,
        PATHS,
    )
)
LINKS: st.SearchStrategy[LinkKind] = st.sampled_from(["blob", "tree", "edit"])


@settings(max_examples=500, deadline=None)
@given(TARGETS, LINKS)
def test_a_written_address_is_parsed_back(target: GitTarget, link: LinkKind) -> None:
    """For any names, refs and paths: `#`, `%`, `?`, `*`, spaces, umlauts."""
    read = parse_url(target.url(link), HOSTS)
    assert read == target
    assert target.ref in [ref for ref, _ in read.readings()]


@settings(max_examples=300, deadline=None)
@given(TARGETS)
def test_a_written_folder_is_what_its_files_are_relative_to(target: GitTarget) -> None:
    """Wherever the host writes the ref; a file's name has no slash at its end."""
    folder = target.folder_url
    read = parse_url(folder, HOSTS)
    assert read == target
    assert is_folder(folder, read)
    assert is_folder(target.url(), target) == (not target.path)
    path = f"{target.path}/x".lstrip("/")
    assert parse_url(resolve(folder, read, "./x"), HOSTS) == target.at(path)


@settings(max_examples=200, deadline=None)
@given(TARGETS)
def test_a_written_repository_address_is_parsed_back(target: GitTarget) -> None:
    """Without a ref and a path."""
    read = parse_url(target.repository_url, HOSTS)
    assert read is not None
    assert (read.repository, read.ref, read.path) == (target.repository, "", "")


def test_an_unescaped_address_allows_longer_refs() -> None:
    """Each slash may belong to the ref; an escaped one does."""
    target = parse_url("https://github.com/o/r/blob/release/v3/a/x.yaml", HOSTS)
    assert target is not None
    assert list(target.readings()) == [
        ("release/v3/a/x.yaml", ""),
        ("release/v3/a", "x.yaml"),
        ("release/v3", "a/x.yaml"),
        ("release", "v3/a/x.yaml"),
    ]
    settled = target.with_ref("release/v3")
    assert (settled.ref, settled.path, settled.is_open) == (
        "release/v3",
        "a/x.yaml",
        False,
    )
    assert settled.url() == "https://github.com/o/r/blob/release%2Fv3/a/x.yaml"
    assert parse_url(settled.url(), HOSTS) == settled
    assert target.url() == "https://github.com/o/r/blob/release/v3/a/x.yaml"


BB = "https://bb.example.org/projects/P/repos/r/browse"
AZURE = "https://dev.azure.com/o/p/_git/r"


@pytest.mark.parametrize(
    ("base", "relative", "expected"),
    [
        (
            "https://github.com/o/r/blob/main/a/x.yaml",
            "./y.yaml",
            "https://github.com/o/r/blob/main/a/y.yaml",
        ),
        (
            "https://github.com/o/r/blob/a/b/x.yaml",
            "../y.yaml",
            "https://github.com/o/r/blob/a/y.yaml",
        ),
        (
            "https://github.com/o/r/blob/main/a/x.yaml",
            "/top.yaml",
            "https://github.com/o/r/blob/main/top.yaml",
        ),
        (
            "https://github.com/o/r/blob/main/x.yaml",
            "no#1 50%?.md",
            "https://github.com/o/r/blob/main/no%231%2050%25%3F.md",
        ),
        (
            "https://github.com/o/r/blob/main/x.yaml",
            "a%20b.md",
            "https://github.com/o/r/blob/main/a%20b.md",
        ),
        (
            "https://github.com/o/r/blob/main/x.yaml",
            "https://other.example/y",
            "https://other.example/y",
        ),
        (
            f"{BB}/a/x.yaml?at=refs%2Fheads%2Fdev",
            "./y.yaml",
            f"{BB}/a/y.yaml?at=refs%2Fheads%2Fdev",
        ),
        (f"{BB}/a/x.yaml?at=dev", "/y.yaml", f"{BB}/y.yaml?at=dev"),
        (
            f"{AZURE}?path=/a/x.yaml&version=GBdev",
            "./y.yaml",
            f"{AZURE}?path=/a/y.yaml&version=GBdev",
        ),
        (f"{AZURE}?path=/a/x.yaml", "../b/ü.yaml", f"{AZURE}?path=/b/%C3%BC.yaml"),
        (
            f"{AZURE}?path=%2Fa%2Fx.yaml&version=GTv1",
            "/y.yaml",
            f"{AZURE}?path=/y.yaml&version=GTv1",
        ),
        (f"{AZURE}?path=/a/&version=GBdev", "./y", f"{AZURE}?path=/a/y&version=GBdev"),
        (f"{AZURE}?path=/a/", "./y", f"{AZURE}?path=/a/y"),
        (f"{BB}/a/?at=dev", "./y", f"{BB}/a/y?at=dev"),
        (
            "https://plain.example/a/x.yaml?t=1",
            "./y.yaml?u=2",
            "https://plain.example/a/y.yaml?u=2",
        ),
    ],
)
def test_a_relative_path_keeps_the_ref_of_its_file(
    base: str, relative: str, expected: str
) -> None:
    """Query arguments stay, `/` is the repository's root, signs belong to names."""
    assert resolve(base, parse_url(base, HOSTS), relative) == expected
