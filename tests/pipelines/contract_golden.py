"""`python -m tests.pipelines.contract_golden` writes the contract as it is now, if versions were raised with it."""

import json
import sys
from pathlib import Path
from typing import Any

from pipelines.contract import TABLES, arrow_schema
from pipelines.contract.evolution import contract_of

__all__ = ["GOLDEN", "current", "golden", "unraised"]

GOLDEN = Path(__file__).with_name("contract.json")


def current() -> dict[str, Any]:
    """Every table's contract, and its columns' descriptions are not part of it."""
    return {name: contract_of(arrow_schema(table)) for name, table in TABLES.items()}


def golden() -> dict[str, Any]:
    """What was written last."""
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


def unraised(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The tables that changed, and whose version did not rise."""
    return [
        name
        for name in before.keys() & after.keys()
        if before[name] != after[name] and after[name]["version"] <= before[name]["version"]
    ]


if __name__ == "__main__":
    wrong = unraised(golden(), current()) if GOLDEN.exists() else []
    if wrong:
        sys.exit(f"raise the version of {', '.join(wrong)} in pipelines/contract.py first")
    GOLDEN.write_text(json.dumps(current(), indent=1) + "\n", encoding="utf-8")
