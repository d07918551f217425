"""The documents that users read, cut into what can be compared with the program."""

import re
from functools import cache
from pathlib import Path

from tests.architecture.sources import ROOT

__all__ = ["code", "documents", "fenced", "section", "text"]

_FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


@cache
def documents() -> tuple[Path, ...]:
    """README, CONTRIBUTING and docs/."""
    return ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))


@cache
def text(path: Path) -> str:
    """A document as it stands."""
    return path.read_text(encoding="utf-8")


def fenced(path: Path, kind: str) -> list[str]:
    """The bodies of a document's ``` blocks of one kind."""
    return [match["body"] for match in _FENCE.finditer(text(path)) if match["kind"] == kind]


def code(path: Path) -> list[str]:
    """All that is set as code: the lines of blocks, and the spans of prose."""
    blocks = [match["body"] for match in _FENCE.finditer(text(path))]
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return lines + _SPAN.findall(_FENCE.sub("", text(path)))


def section(path: Path, title: str) -> str:
    """What stands under the first heading that contains `title`, up to the next heading."""
    pattern = rf"^#+ [^\n]*{title}[^\n]*\n(?P<body>.*?)(?=^#+ |\Z)"
    found = re.search(pattern, text(path), re.MULTILINE | re.DOTALL | re.IGNORECASE)
    return found["body"] if found else ""
