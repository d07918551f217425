"""The recorded replies of a real ASMX stack, byte for byte."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.domain.binding import Binding
from collector.simulator import Direction, Event, ListedTraffic, Population, Simulator, Switches
from collector.simulator.replies import Answer, WireReply, answer_reply, fault_reply
from tests.simulator.sample_cases import DATASETS, FAULTS
from tests.simulator.wire import Reply, parsed, stats

SAMPLES = Path(__file__).parents[1] / "asmx-samples"
FILES = {
    Binding.SOAP11: "soap11.http",
    Binding.SOAP12: "soap12.http",
    Binding.HTTP_GET: "get.http",
    Binding.HTTP_POST: "post.http",
}
NOW = datetime(2024, 1, 15, 12, tzinfo=UTC)  # the Date of the samples
MINUTE_US = 60_000_000

bindings = pytest.mark.parametrize("binding", FILES)


def recorded(case: str, binding: Binding) -> Reply:
    """A recorded reply."""
    return parsed((SAMPLES / case / FILES[binding]).read_bytes())


def assert_same(written: WireReply, wanted: Reply) -> None:
    """Status, type and body agree."""
    assert written.body == wanted.body
    assert written.status == wanted.status
    assert written.content_type == wanted.headers["content-type"]


def test_every_sample_is_covered() -> None:
    """No recorded case is left out of these tests."""
    cases = {path.parent.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*.http")}
    assert cases == {*DATASETS, *(f"faults/{name}" for name in FAULTS)}


@bindings
@pytest.mark.parametrize("case", DATASETS)
def test_answers_are_written_as_recorded(case: str, binding: Binding) -> None:
    """The writer gives the recorded bytes from data alone."""
    answer = Answer("ReportInstantStats", DATASETS[case])
    assert_same(answer_reply(answer, binding), recorded(case, binding))


@bindings
@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_written_as_recorded(case: str, binding: Binding) -> None:
    """So do the faults' envelopes and plain texts."""
    assert_same(fault_reply(FAULTS[case], binding, ""), recorded(f"faults/{case}", binding))


def documented_traffic() -> ListedTraffic:
    """Events that give the counts of the documented sample in windows of 15 and 60 minutes."""
    now_us = int(NOW.timestamp()) * 1_000_000
    events: list[Event] = []
    plan = (
        (Direction.IN, 5, 104, 129),
        (Direction.OUT, 5, 100, 65),
        (Direction.IN, 30, 417 - 104, 517 - 129),
        (Direction.OUT, 30, 401 - 100, 261 - 65),
    )
    for direction, minutes_ago, parcels, interchanges in plan:
        held = [interchanges // parcels] * parcels
        held[0] += interchanges - sum(held)
        events += [Event(now_us - minutes_ago * MINUTE_US, direction, each) for each in held]
    return ListedTraffic({"mailbox-0001": events})


@bindings
async def test_the_documented_answer_over_a_socket(binding: Binding) -> None:
    """A whole reply equals the recorded one: status line, headers in order, body."""
    async with Simulator(Population(1), now=NOW, traffic=documented_traffic()) as simulator:
        reply = await stats(simulator, minutes=(15, 60), binding=binding)
    wanted = recorded("documented", binding)
    assert reply.body == wanted.body
    # aiohttp puts its own `Connection: close` last.
    assert sorted(reply.raw.split(b"\r\n\r\n")[0].split(b"\r\n")) == sorted(
        wanted.raw.split(b"\r\n\r\n")[0].split(b"\r\n")
    )


@bindings
@pytest.mark.parametrize(("case", "shape"), [("auth-code", "word"), ("auth-details", "error-info")])
async def test_an_authentication_fault_over_a_socket(
    case: str, shape: str, binding: Binding
) -> None:
    """A refused session gets the recorded fault, headers included."""
    switches = Switches.parse({"fault_shape": shape})
    async with Simulator(Population(1), switches, now=NOW) as simulator:
        reply = await stats(simulator, "nobody", binding=binding)
    wanted = recorded(f"faults/{case}", binding)
    assert (reply.status, reply.headers, reply.body) == (
        wanted.status,
        wanted.headers,
        wanted.body,
    )
