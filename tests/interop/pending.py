"""Known disagreements: a test of one is expected to fail, and fails the suite once it does not.

Whoever makes one of these right takes its line out.
"""

from collections.abc import Iterable
from typing import Any, Final

import pytest

__all__ = ["READER", "SIMULATOR", "marked"]

# scenario -> what .NET reads otherwise
READER: Final[dict[str, str]] = {}
# request -> what the real stack says otherwise
SIMULATOR: Final[dict[str, str]] = {}


def marked(names: Iterable[str], pending: dict[str, str]) -> list[Any]:
    """The names as parameters, those pending marked."""
    return [
        pytest.param(name, marks=pytest.mark.xfail(reason=pending[name], strict=True))
        if name in pending
        else name
        for name in names
    ]
