"""The C# side checks itself: its dump, its data and its stack are those of the recorded answers."""

import json
from pathlib import Path
from typing import Final

import pytest

from tests.interop.bindings import BINDINGS
from tests.interop.scenarios import SCENARIOS, answered
from tests.interop.stack import RealStack

SAMPLES: Final = Path(__file__).parents[1] / "asmx-samples"
CASES: Final = tuple(sorted(path.parent.name for path in SAMPLES.glob("*/expected.json")))
FILES: Final = {"soap11": "soap11", "soap12": "soap12", "http-get": "get", "http-post": "post"}
REBUILT: Final = {
    "Given.Documented": "documented",
    "Given.ZeroRows": "zero-rows",
    "Given.DirectionRows": "direction-rows",
    "Given.TypesBasic": "types-basic",
    "Given.RowStates": "row-states",
}


def recorded(case: str, binding: str) -> bytes:
    """The body of a recorded answer."""
    whole = (SAMPLES / case / f"{FILES[binding]}.http").read_bytes()
    return whole.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("case", CASES)
def test_the_dump_of_a_recorded_answer_is_the_recorded_dump(
    real_stack: RealStack, case: str, binding: str
) -> None:
    """.NET reads each sample as `expected.json` says."""
    expected = json.loads((SAMPLES / case / "expected.json").read_text(encoding="utf-8"))
    assert json.loads(real_stack.dump(recorded(case, binding))) == expected


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("scenario", sorted(REBUILT))
def test_the_same_data_makes_the_same_bytes(
    real_stack: RealStack, scenario: str, binding: str
) -> None:
    """Rebuilt data travels byte for byte as it was recorded, but for the operation's name."""
    body = answered(real_stack, scenario, binding).body.replace(b"Answer", b"ReportInstantStats")
    assert body == recorded(REBUILT[scenario], binding)


def test_every_scenario_is_served(real_stack: RealStack) -> None:
    """The names found in the sources are those the service knows, and there are enough of them."""
    assert sorted(SCENARIOS) == real_stack.scenarios()
    assert len(SCENARIOS) >= 60
