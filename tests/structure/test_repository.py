"""What is part of the repository, and what set-up brings."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Larger than anything that people write by hand.
MOST_BYTES = 500_000


def tracked() -> list[Path]:
    """Every file that a commit has."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [Path(name) for name in listed.stdout.split("\0") if name]


def test_third_party_assets_are_installed_and_not_committed() -> None:
    """Set-up writes them below `vendor/`, wherever the pages move."""
    assert [path for path in tracked() if "vendor" in path.parts] == []


def test_no_committed_file_is_as_large_as_a_build() -> None:
    """A bundle, an archive or a picture of that size is made at set-up."""
    sizes = {path: (ROOT / path).lstat().st_size for path in tracked()}
    assert [path for path, size in sizes.items() if size > MOST_BYTES] == []
