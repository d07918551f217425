"""The recorded replies of a real ASP.NET stack, as bodies and content types."""

import json
from pathlib import Path
from typing import Any

__all__ = ["BINDINGS", "CASES", "body_of", "expected_of"]

_ROOT = Path(__file__).parent.parent / "asmx-samples"
BINDINGS = ("soap11", "soap12", "get", "post")
CASES = tuple(sorted(path.parent.name for path in _ROOT.glob("*/expected.json")))


def body_of(case: str, binding: str) -> tuple[bytes, str]:
    """Return body and content type of a recorded reply."""
    head, _, body = (_ROOT / case / f"{binding}.http").read_bytes().partition(b"\r\n\r\n")
    lines = dict(line.split(": ", 1) for line in head.decode("ascii").split("\r\n")[1:])
    return body, lines["Content-Type"]


def expected_of(case: str) -> Any:
    """Return what .NET holds after reading the reply."""
    return json.loads((_ROOT / case / "expected.json").read_text("utf-8"))
