"""The example's repositories: a real small Git host that tells of pushes."""

import hashlib
import hmac
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import yaml

from deploy.cli.configuration import check_config
from deploy.examples.playhouse_git import create_bare, load

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
SECRET = "a secret of this test"


@pytest.fixture
def portal() -> Iterator[tuple[str, Queue[tuple[dict[str, str], bytes]]]]:
    """An address that takes webhooks, and what it was sent."""
    heard: Queue[tuple[dict[str, str], bytes]] = Queue()

    class Hears(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.put(({"path": self.path, **dict(self.headers)}, body))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hears)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    thread.join()
    server.server_close()


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout + done.stderr


def entities(workshop: Path) -> list[dict[str, Any]]:
    return [
        entity
        for path in sorted(workshop.glob("*/**/*.yaml"))
        if "skeleton" not in path.parts
        for entity in yaml.safe_load_all(path.read_text("utf-8"))
        if entity and "apiVersion" in entity
    ]


def test_a_push_from_a_working_copy_sends_a_signed_webhook(
    tmp_path: Path, portal: tuple[str, Queue[tuple[dict[str, str], bytes]]]
) -> None:
    """`git push` reports who changed which files, in Gitea's format."""
    address, heard = portal
    loaded = load(tmp_path, address=address, secret=SECRET)
    copy = loaded.workshop / "payments"
    (copy / "docs" / "new page.md").write_text("# New", "utf-8")
    (copy / "README.md").unlink()
    git(copy, "add", "--all")
    git(copy, "commit", "--message", "A new page\n\nwith a reason")
    git(copy, "push")
    headers, body = heard.get(timeout=10)
    push = json.loads(body)
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["path"] == "/api/webhooks/gitea"
    assert headers["X-Gitea-Signature"] == signature
    assert push["ref"] == "refs/heads/main"
    assert push["repository"]["html_url"] == "https://git.playhouse.example/payments"
    assert push["after"] == git(copy, "rev-parse", "HEAD").strip()
    (commit,) = push["commits"]
    assert commit["added"] == ["docs/new page.md"]
    assert commit["removed"] == ["README.md"]
    assert push["pusher"]["login"] == "ben"


@pytest.mark.parametrize(
    "rewriting",
    [
        [("commit", "--amend", "--message", "Rewritten")],
        [("reset", "--hard", "HEAD~1")],
        [
            ("checkout", "--orphan", "new"),
            ("commit", "-m", "New"),
            ("branch", "-M", "main"),
        ],
    ],
)
def test_a_rewritten_branch_names_no_files(
    tmp_path: Path,
    portal: tuple[str, Queue[tuple[dict[str, str], bytes]]],
    rewriting: list[tuple[str, ...]],
) -> None:
    """After a forced push the list of commits is incomplete, and says so."""
    address, heard = portal
    copy = load(tmp_path, address=address, secret=SECRET).workshop / "payments"
    for command in rewriting:
        git(copy, *command)
    git(copy, "push", "--force", "origin", "main")
    push = json.loads(heard.get(timeout=10)[1])
    assert push["commits"] == []
    assert push["total_commits"] > 0


def test_no_text_of_a_commit_hides_a_push(
    tmp_path: Path, portal: tuple[str, Queue[tuple[dict[str, str], bytes]]]
) -> None:
    """Neither control characters, nor names like a commit's or a kind of change."""
    address, heard = portal
    copy = load(tmp_path, address=address, secret=SECRET).workshop / "payments"
    odd = "\x01a\x02b\x01" + "0" * 40
    files = ["A", git(copy, "rev-parse", "HEAD").strip(), "new\nline", "\x01\x02"]
    for name in files:
        (copy / name).write_text("x", "utf-8")
    git(copy, "add", "--all")
    git(copy, "config", "user.name", f"Ben{odd}x")
    git(copy, "commit", "--message", f"{odd}\n\n{odd * 1000}")
    git(copy, "commit", "--allow-empty", "--allow-empty-message", "--message", "")
    assert "not told" not in git(copy, "push")
    push = json.loads(heard.get(timeout=10)[1])
    empty, commit = push["commits"]
    assert empty["message"] == ""
    assert empty["added"] == []
    assert commit["author"]["name"] == f"Ben{odd}x"
    assert commit["message"].startswith(f"{odd}\n\n{odd}")
    assert len(commit["message"]) == 10_000
    assert sorted(commit["added"]) == sorted(files)
    assert commit["url"].endswith(f"/payments/commit/{commit['id']}")


def test_who_commits_without_an_address_is_named(
    tmp_path: Path, portal: tuple[str, Queue[tuple[dict[str, str], bytes]]]
) -> None:
    """The portal refuses a push of nobody."""
    address, heard = portal
    copy = load(tmp_path, address=address, secret=SECRET).workshop / "payments"
    git(copy, "config", "user.email", "")
    git(copy, "config", "user.name", "Ben")
    git(copy, "commit", "--allow-empty", "--message", "Nothing")
    git(copy, "push")
    assert json.loads(heard.get(timeout=10)[1])["pusher"]["login"] == "Ben"


@pytest.mark.parametrize(("count", "length"), [(10_001, 5), (2_000, 200)])
def test_a_push_of_very_many_files_names_none(
    tmp_path: Path,
    portal: tuple[str, Queue[tuple[dict[str, str], bytes]]],
    count: int,
    length: int,
) -> None:
    """The portal would refuse the list; without any, it reads everything again."""
    address, heard = portal
    copy = load(tmp_path, address=address, secret=SECRET).workshop / "payments"
    (copy / "many").mkdir()
    for number in range(count):
        (copy / "many" / f"{number:0{length}}").touch()
    git(copy, "add", "--all")
    git(copy, "commit", "--quiet", "--message", "Many")
    git(copy, "push")
    push = json.loads(heard.get(timeout=10)[1])
    assert push["commits"] == []
    assert push["total_commits"] == 1


def test_a_push_succeeds_while_the_portal_is_down(tmp_path: Path) -> None:
    """The hook reports on stderr that there was no answer, and the push stays."""
    loaded = load(tmp_path, address="http://127.0.0.1:9", secret=SECRET)
    copy = loaded.workshop / "handbook"
    git(copy, "commit", "--allow-empty", "--message", "Nothing")
    assert "was not told" in git(copy, "push")
    pushed = git(loaded.host / "handbook.git", "rev-parse", "main")
    assert pushed == git(copy, "rev-parse", "HEAD")
    (loaded.host / "hook.json").unlink()
    git(copy, "commit", "--allow-empty", "--message", "Nothing")
    report = git(copy, "push")
    assert "was not told" in report
    assert "Traceback" not in report


def test_loading_twice_keeps_existing_repositories(tmp_path: Path) -> None:
    """A second start changes neither repositories nor working copies."""
    loaded = load(tmp_path, address="http://127.0.0.1:9", secret=SECRET)
    (loaded.workshop / "org" / "mine.txt").write_text("mine", "utf-8")
    progressed: list[str] = []
    again = load(
        tmp_path,
        address="http://127.0.0.1:10",
        secret="another",
        progress=lambda name, *_: progressed.append(name),
    )
    assert again.created == ()
    assert progressed == list(loaded.repositories)
    assert (loaded.workshop / "org" / "mine.txt").read_text("utf-8") == "mine"
    settings = loaded.host / "hook.json"
    assert json.loads(settings.read_text("utf-8"))["secret"] == "another"
    assert settings.stat().st_mode & 0o077 == 0


def test_the_example_has_every_kind_and_several_authors(tmp_path: Path) -> None:
    """All nine kinds; every repository has a history, by several people in all."""
    loaded = load(tmp_path, address="http://127.0.0.1:9", secret=SECRET)
    kinds = {entity["kind"] for entity in entities(loaded.workshop)}
    nine = "Component API Resource System Domain Group User Location Template"
    assert kinds == set(nine.split())
    assert len(entities(loaded.workshop)) >= 45
    for name in ("payments", "box-office", "handbook"):
        log = git(loaded.host / f"{name}.git", "log", "--format=%an", "main")
        assert len(log.splitlines()) >= 5
        assert len(set(log.splitlines())) >= 3


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".hidden", "x.git", "x.lock"])
def test_an_invalid_repository_name_is_refused(tmp_path: Path, name: str) -> None:
    """Names that are paths, hidden or Git's own."""
    with pytest.raises(ValueError, match="cannot be the name"):
        create_bare(tmp_path, name)


@pytest.mark.parametrize("example", ["playhouse", "golden", "empty"])
def test_example_configurations_load_without_warnings(example: str) -> None:
    """Each example's configuration."""
    environment = {
        "CALLBOARD_DATA": "data",
        "CALLBOARD_GOLDEN": "golden",
        "CALLBOARD_WEBHOOK_SECRET": SECRET,
    }
    problems = check_config(EXAMPLES / example / "app-config.yaml", environment)
    # The recorded answers are not part of the repository.
    assert [p for p in problems if not p.message.startswith("there is no /")] == []
