"""docs/simulator.md says what the simulator has: switches, selectors, options, pages, and fields of their output.

docs/service.md names switches and columns that there are.
"""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from collector.simulator import Answered, Arrival, Counts, Selector, Switches
from collector.simulator.accounts import Accounts, Population
from collector.simulator.control import Control
from collector.simulator.record import Log
from collector.simulator.registry import Registry
from collector.simulator.selector import SelectorKind
from collector.simulator.switches import NAMES
from collector.simulator.traffic import SeededTraffic
from pipelines.cli.simulated import simulate
from pipelines.contract import TABLES
from tests.architecture.documents import code, fenced, section
from tests.architecture.sources import ROOT

DOCUMENT = ROOT / "docs/simulator.md"
SERVICE = ROOT / "docs/service.md"
CELL = re.compile(r"^`([^`]*)`$")


def _table(title: str) -> list[list[str]]:
    """The cells of the table in a section, without its head."""
    lines = [line for line in section(DOCUMENT, title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def _code(cell: str) -> str:
    found = CELL.match(cell)
    assert found, f"{cell!r} is not set as code"
    return found[1]


SETTINGS = {_code(row[0]): row[1:] for row in _table("Switches$")}
TROUBLE = {_code(row[0]): ["`never`", "selector", row[1]] for row in _table("Trouble$")}
SWITCHES = SETTINGS | TROUBLE


def _refused(name: str, value: object) -> bool:
    try:
        Switches.parse({name: value})
    except ValueError:
        return True
    return False


def test_every_switch_is_in_a_table_once() -> None:
    """All of them, no other, in the order of the program: those that have a selector in the table of trouble."""
    has_selector = {name: isinstance(getattr(Switches(), name), Selector) for name in NAMES}
    told = [[_code(row[0]) for row in _table(title)] for title in ("Switches$", "Trouble$")]
    assert told[0] == [name for name in NAMES if not has_selector[name]]
    assert told[1] == [name for name in NAMES if has_selector[name]]


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_those_of_the_program(name: str) -> None:
    """What the table calls the default is what a simulator without arguments has."""
    default = _code(SWITCHES[name][0])
    assert Switches.parse({name: default}) == Switches()
    assert SWITCHES[name][2], "says nothing of what it does"


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_that_are_taken(name: str) -> None:
    """Ranges end where the program ends them; a list of words is complete; a selector is one."""
    values, now = SWITCHES[name][1], getattr(Switches(), name)
    span = re.fullmatch(r"(\S+) to (\S+)", values)
    if span:
        low, high = (type(now)(edge) for edge in span.groups())
        step = 1 if isinstance(now, int) else 0.0005
        assert not _refused(name, low)
        assert not _refused(name, high)
        assert _refused(name, low - step)
        assert _refused(name, high + step)
    elif values in ("selector", "text"):
        assert isinstance(now, Selector if values == "selector" else str)
        assert _refused(name, "sometimes") == (values == "selector")
    else:
        words = values.split(", ")
        assert [word for word in words if _refused(name, word)] == []
        assert _refused(name, "something else")
        allowed = getattr(type(now), "__members__", None)
        assert allowed is None or words == [str(member) for member in type(now)]


def test_the_words_of_plain_switches_are_complete() -> None:
    """Where no enum lists them, the refusal does."""
    with pytest.raises(ValueError, match="must be one of") as refusal:
        Switches.parse({"retry_after": "something else"})
    assert str(refusal.value).endswith(SWITCHES["retry_after"][1])
    statuses = [str(status) for status in range(600) if not _refused("throttle_status", status)]
    assert SWITCHES["throttle_status"][1] == ", ".join(statuses)


def test_every_kind_of_selector_is_told() -> None:
    """Each kind has its line, in a spelling that the program reads."""
    spellings = [_code(row[0]) for row in _table("Selectors")]
    assert [spelling.partition(":")[0] for spelling in spellings] == list(SelectorKind)
    for spelling in spellings:
        Selector.parse(spelling.replace("X", "0.5").replace("N", "2"))


def test_every_option_of_simulate_is_told() -> None:
    """Each option has its line, with its default where it has one."""
    told = {_code(row[0]): row[1].strip("`") for row in _table("Start it")}
    options = {max(option.opts, key=len): option for option in simulate.params}
    assert list(told) == list(options)
    for name, said in told.items():
        if said:
            assert said == str(options[name].default), name
        else:
            assert options[name].default is False or not isinstance(
                options[name].default, str | int
            ), name


def _shapes(value: object) -> object:
    """The fields of a JSON value, to any depth; what is listed by label has no fields of its own."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_shapes(value[0])]
    if isinstance(value, dict) and not any("mailbox-" in key for key in value):
        return {key: _shapes(each) for key, each in value.items()} or None
    return None


def _shown() -> list[dict[str, Any]]:
    """What the pages log, truth, a span's truth and state give, in the order of the document."""
    log, traffic = Log(), SeededTraffic(0, 0)
    accounts = Accounts(Population(10), 0)
    control = Control(log, Registry(Switches(), {}), accounts, traffic)
    arrival, answer = Arrival(1, 0.0, 0, 1), Answered(1, "", 1, 2, 0, 0, (0,) * 8)
    return [
        {"entries": [arrival.shown()], "total": 0, "dropped": 0},
        {"answers": [answer.shown()], "total": 0, "dropped": 0},
        control.span("mailbox-0001", 0, 1),
        control.state(),
    ]


def test_output_in_the_document_has_the_fields_of_the_program() -> None:
    """The examples were real once; this keeps their fields so."""
    examples = [json.loads(block) for block in fenced(DOCUMENT, "json")]
    assert set(examples[0]) == {"url", "control", "sessions"}
    for example, shown in zip(examples[1:], _shown(), strict=True):
        assert _shapes(example) == _shapes(shown)


def test_the_span_in_the_document_is_what_the_seed_gives() -> None:
    """Seed 1 and an anchor at 2 o'clock on 31 January 2026: the counts that the examples show."""
    truth, span = (json.loads(block) for block in fenced(DOCUMENT, "json")[2:4])
    until_us = truth["answers"][0]["now1_us"]
    counts = SeededTraffic(1, until_us).counts("mailbox-0001", until_us - 86_400_000_000, until_us)
    told = span["counts"]["parcel"], span["counts"]["interchange"]
    assert counts == Counts(told[0]["in"], told[0]["out"], told[1]["in"], told[1]["out"])
    assert truth["answers"][0]["counts"][4:] == [each for half in told for each in half.values()]


def test_the_python_example_runs() -> None:
    """It prints the address, a fake key, the truth of a day, and an empty log."""
    (example,) = fenced(DOCUMENT, "python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    address, truth, arrivals = done.stdout.splitlines()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+\S+\.asmx fake-key-0001", address)
    assert "'parcel': {'in': 66, 'out': 68}" in truth
    assert arrivals == "0 0"


def test_switches_in_the_service_document_exist() -> None:
    """Each `name=value` is a switch that takes the value."""
    pairs = [span.partition("=") for span in code(SERVICE) if re.fullmatch(r"[a-z_0-9]+=\S+", span)]
    assert len(pairs) > 30
    assert [name for name, _, value in pairs if _refused(name, value)] == []


def test_columns_in_the_service_document_exist() -> None:
    """Each `table.column` is one that is published."""
    spans = [span.partition(".") for span in code(SERVICE)]
    named = [(table, column) for table, _, column in spans if table in TABLES and column]
    columns = {name: {column.name for column in table.columns} for name, table in TABLES.items()}
    assert named
    assert [pair for pair in named if pair[1] not in columns[pair[0]]] == []
