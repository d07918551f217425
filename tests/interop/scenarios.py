"""The C# scenarios: their names, and what the service answers to each.

The names are read from the sources, since tests are collected before anything is compiled.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

from tests.interop.bindings import Answer, ask, request
from tests.interop.stack import RealStack

__all__ = ["SCENARIOS", "answered", "dumped"]

SOURCES: Final = Path(__file__).parent / "service" / "scenarios"
CLASS: Final = re.compile(r"public static class (\w+)")
SCENARIO: Final = re.compile(r"public static DataSet (\w+)\(\)")


def names() -> tuple[str, ...]:
    """`Class.Method` of every scenario."""
    found = []
    for path in sorted(SOURCES.glob("*.cs")):
        text = path.read_text(encoding="utf-8")
        if "namespace Interop.Cases" not in text:
            continue
        owner = CLASS.search(text)
        assert owner is not None, path
        found += [f"{owner[1]}.{name}" for name in SCENARIO.findall(text)]
    return tuple(found)


SCENARIOS: Final = names()


@cache
def answered(stack: RealStack, scenario: str, binding: str) -> Answer:
    """The service's answer to a scenario; asked for once."""
    answer = ask(stack, request(binding, "/DataSets.asmx", "Answer", {"Scenario": scenario}))
    assert answer.status == 200, answer.body[:1000]
    return answer


@cache
def dumped(stack: RealStack, scenario: str, binding: str) -> str:
    """What .NET holds after reading that answer, as JSON."""
    return stack.dump(answered(stack, scenario, binding).body)
