"""docker-compose.yml as data: with its variables filled in, and before that."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"
CONFIG = ROOT / "deploy" / "examples" / "production" / "app-config.yaml"
#: `${NAME}`, and how it goes on: `:?` must be given, `:-` has a default.
VARIABLE = re.compile(r"\$\{(\w+)(?:(:[?-])([^}]*))?\}")
SECRET = "0123456789abcdef0123456789abcdef"


def example() -> dict[str, str]:
    """The variables of .env.example, as they stand there."""
    lines = EXAMPLE.read_text().splitlines()
    pairs = (line.partition("=") for line in lines if re.match(r"\w+=", line))
    return {name: value for name, _, value in pairs}


def filled_example() -> dict[str, str]:
    """The same after somebody has filled in what is empty."""
    filled = {name: value or SECRET for name, value in example().items()}
    return {
        **filled,
        "CALLBOARD_BASE_URL": "https://portal.example.com",
        "CALLBOARD_GIT_HOST": "git.example.com",
    }


def referred(text: str) -> dict[str, str]:
    """Each variable of a text with how it goes on (`:?`, `:-` or nothing)."""
    return {name: how or "" for name, how, _ in VARIABLE.findall(text)}


@cache
def compose() -> dict[str, Any]:
    """The file, its anchors merged and its variables filled in."""
    values = filled_example()
    text = VARIABLE.sub(lambda match: values[match[1]], FILE.read_text())
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def services() -> dict[str, dict[str, Any]]:
    """Every service of the file, engines and one-shots too."""
    service_definitions: dict[str, dict[str, Any]] = compose()["services"]
    return service_definitions


def networks(name: str) -> set[str]:
    """The networks of a service."""
    return set(services()[name].get("networks", ()))


def volumes(name: str) -> dict[str, str]:
    """What is mounted in a service: target -> source, `:ro` kept on the source."""
    sources = {}
    for volume in services()[name].get("volumes", ()):
        source, target, *mode = volume.split(":")
        sources[target] = ":".join([source, *mode])
    return sources
