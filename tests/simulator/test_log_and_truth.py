"""The arrival log and the truth: complete, in order, bounded, without credentials."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from collector.domain.binding import Binding
from collector.simulator import Answered, Log, Population, Simulator, Switches
from tests.simulator.wire import call, control, counts, stats

NOW = datetime(2024, 1, 15, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
MINUTE_US = 60_000_000
PEOPLE = Population(4, login_every=2)


async def shown(simulator: Simulator, page: str) -> Any:
    """A control page as Python values."""
    return json.loads((await control(simulator, page)).body)


async def test_the_log_has_every_request_in_order() -> None:
    """Operation, binding, label, windows, status and fault of each; never the credential."""
    async with Simulator(PEOPLE, Switches.parse({"html_503": "call:2"})) as simulator:
        await call(simulator, "Version", {}, Binding.HTTP_GET)
        await stats(simulator, "fake-key-0003", (15, 60), Binding.SOAP11)
        await stats(simulator, "fake-key-0003", (15, 60))
        login = {"LoginName": "fake-login-0002", "Password": "fake-password-0002"}
        session_id = (await call(simulator, "Login", dict(login))).text
        await stats(simulator, "nobody")
        entries = (await shown(simulator, "log"))["entries"]
    brief = [
        (each["operation"], each["binding"], each["session"], each["minutes2"], each["status"])
        for each in entries
    ]
    assert brief == [
        ("Version", "http-get", "", None, 200),
        ("ReportInstantStats", "soap11", "mailbox-0003", 60, 200),
        ("ReportInstantStats", "soap12", "mailbox-0003", 60, 503),
        ("Login", "soap12", "mailbox-0002", None, 200),
        ("ReportInstantStats", "soap12", "", 120, 500),
    ]
    assert [each["fault"] for each in entries] == ["", "", "html_503", "", "authentication"]
    assert [each["number"] for each in entries] == [1, 2, 3, 4, 5]
    assert [each["connection"] for each in entries] == [1, 2, 3, 4, 5]
    stamps = [each["monotonic"] for each in entries]
    assert stamps == sorted(stamps)
    assert all(each["answered_monotonic"] >= each["monotonic"] for each in entries)
    text = json.dumps(entries)
    secrets = ("fake-key", "fake-password", "nobody", "ffffffff")
    assert not [each for each in secrets if each in text]
    assert "ffffffff-ffff" in session_id


async def test_the_log_as_lines_and_in_part() -> None:
    """One JSON object a line; `since` leaves out what was read before."""
    async with Simulator(PEOPLE) as simulator:
        for _ in range(5):
            await call(simulator, "Version", {})
        lines = (await control(simulator, "log?format=jsonl&since=3")).text
        assert [number for number in (4, 5) if f'"number": {number}' in lines] == [4, 5]
        assert '"number": 3' not in lines
        assert (await control(simulator, "log?since=x")).status == 400


async def test_the_log_is_bounded_and_says_so() -> None:
    """The oldest go first, and are counted."""
    async with Simulator(PEOPLE, log_cap=3) as simulator:
        for _ in range(5):
            await stats(simulator)
        log = await shown(simulator, "log")
        assert [each["number"] for each in log["entries"]] == [3, 4, 5]
        assert (log["total"], log["dropped"]) == (5, 2)
        assert [each.number for each in simulator.log.since(4)] == [5]
        truth = await shown(simulator, "truth")
        assert (len(truth["answers"]), truth["total"], truth["dropped"]) == (3, 5, 2)
        state = await shown(simulator, "state")
        assert state["requests"] == {"arrivals": 5, "answers": 5, "dropped_from_log": 2}


def filled(simulator: Simulator, count: int) -> None:
    """Entries as if so many calls had come, of two mailboxes in turn."""
    for number in range(1, count + 1):
        arrival = simulator.log.arrived(float(number), number, 1)
        arrival.session = f"mailbox-{2 - number % 2:04d}"
        simulator.log.answered(Answered(number, arrival.session, 1, 2, 0, 0, (number,) * 8))


@pytest.mark.parametrize("page", ["log?since", "truth?after"])
@pytest.mark.parametrize(
    ("after", "limit", "numbers"),
    [(0, 3, [1, 2, 3]), (998, 3, [999, 1000, 1001]), (1_199, 5, [1_200]), (1_200, 5, [])],
)
async def test_pages_of_a_page(page: str, after: int, limit: int, numbers: list[int]) -> None:
    """A number to begin behind, and how many numbers further."""
    async with Simulator(PEOPLE) as simulator:
        filled(simulator, 1_200)
        found = await shown(simulator, f"{page}={after}&limit={limit}")
    entries = found["entries" if page.startswith("log") else "answers"]
    assert [each.get("number", each.get("arrival")) for each in entries] == numbers
    assert (found["total"], found["dropped"]) == (1_200, 0)


async def test_pages_pass_by_what_was_dropped_and_what_is_of_others() -> None:
    """Whoever adds the limit to the number, until the total, sees everything that is left once."""
    async with Simulator(PEOPLE, log_cap=5) as simulator:
        filled(simulator, 12)
        arrivals, answers = [], []
        for after in range(0, 12, 2):
            log = await shown(simulator, f"log?since={after}&limit=2")
            arrivals += [each["number"] for each in log["entries"]]
            query = f"truth?after={after}&limit=2&session=mailbox-0001"
            answers += [each["arrival"] for each in (await shown(simulator, query))["answers"]]
    assert arrivals == [8, 9, 10, 11, 12]
    assert answers == [9, 11]


@pytest.mark.parametrize("count", [0, 1, 250, 251, 1_200])
@pytest.mark.parametrize("page", ["log", "truth"])
async def test_long_lists_come_in_pieces(page: str, count: int) -> None:
    """As one object or as lines, the entries are the same, however many there are."""
    async with Simulator(PEOPLE) as simulator, aiohttp.ClientSession() as client:
        filled(simulator, count)
        async with client.get(f"{simulator.origin}/_simulator/{page}") as reply:
            found = await reply.json()
        async with client.get(f"{simulator.origin}/_simulator/{page}?format=jsonl") as reply:
            lines = (await reply.text()).splitlines()
            assert reply.headers["X-Dropped"] == "0"
    entries = found["entries" if page == "log" else "answers"]
    assert len(entries) == count
    assert entries == [json.loads(line) for line in lines]


@pytest.mark.parametrize("query", ["log?since=-1", "log?limit=0", "truth?after=x", "truth?limit="])
async def test_pages_that_cannot_be(query: str) -> None:
    """400, and what would be right."""
    async with Simulator(PEOPLE) as simulator:
        reply = await control(simulator, query)
    assert reply.status == 400
    assert "must be a whole number from" in json.loads(reply.body)["error"]


def test_a_log_of_nothing_is_refused() -> None:
    """A bound below 1 is a mistake."""
    with pytest.raises(ValueError, match="must be 1 or more"):
        Log(0)


async def test_the_truth_of_an_answer() -> None:
    """What was told equals the record, and the record equals the events."""
    async with Simulator(PEOPLE, seed=3, now=NOW) as simulator:
        told = [
            counts(await stats(simulator, f"fake-key-{number:04d}", (45, 1_440)))
            for number in (1, 3)
        ]
        answers = (await shown(simulator, "truth"))["answers"]
        only = (await shown(simulator, "truth?session=mailbox-0003"))["answers"]
        assert [each["counts"] for each in answers] == told
        assert only == [answers[1]]
        assert {each["now1_us"] for each in answers} == {NOW_US}
        for answer in answers:
            for half, minutes in enumerate((45, 1_440)):
                since = NOW_US - minutes * MINUTE_US
                query = f"truth?session={answer['session']}&since={since}&until={NOW_US}"
                span = (await shown(simulator, query))["counts"]
                events = [*simulator.traffic.events(answer["session"], since, NOW_US)]
                incoming = [each.interchanges for each in events if each.direction == "in"]
                assert span["parcel"]["in"] == len(incoming) == answer["counts"][half * 4]
                assert span["interchange"]["in"] == sum(incoming) == answer["counts"][half * 4 + 2]
                assert span["parcel"]["out"] == len(events) - len(incoming)
                assert span["interchange"]["out"] == answer["counts"][half * 4 + 3]


async def test_a_span_in_iso_times() -> None:
    """Both ways to write an instant mean the same."""
    async with Simulator(PEOPLE, seed=3, now=NOW) as simulator:
        iso = await shown(
            simulator,
            "truth?session=mailbox-0001&since=2024-01-15T00:00:00Z&until=2024-01-15T12:00:00",
        )
        since = NOW_US - 720 * MINUTE_US
        query = f"truth?session=mailbox-0001&since={since}&until={NOW_US}"
        assert iso == await shown(simulator, query)
        assert iso == simulator.truth("mailbox-0001", NOW - timedelta(hours=12), NOW)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("since=1&until=2", "session is missing"),
        ("session=mailbox-0001&since=1", "until is missing"),
        ("session=nobody&since=1&until=2", "there is no such label"),
        ("session=mailbox-0001&since=noon&until=2", "Invalid isoformat"),
    ],
)
async def test_questions_that_cannot_be_answered(query: str, said: str) -> None:
    """400, and why."""
    async with Simulator(PEOPLE) as simulator:
        reply = await control(simulator, f"truth?{query}")
        assert reply.status == 400
        assert said in json.loads(reply.body)["error"]


async def test_the_same_seed_gives_the_same_replies() -> None:
    """With the clock standing still, two simulators agree byte for byte, in any order of calls."""
    keys = [f"fake-key-{number:04d}" for number in (1, 3)]
    switches = Switches.parse({"html_503": "p:0.4", "extra_columns": "share:0.5"})

    async def replies(seed: int, order: list[str]) -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        async with Simulator(PEOPLE, switches, seed=seed, now=NOW) as simulator:
            for key in order:
                windows = [(60, 120), (180, 240), (60, 120), (1, 32_767)]
                found[key] = [(await stats(simulator, key, each)).body for each in windows]
        return found

    first, second, other = (
        await replies(1, keys),
        await replies(1, keys[::-1]),
        await replies(2, keys),
    )
    assert first == second
    assert first != other


async def test_a_burst_is_stamped_one_by_one() -> None:
    """Many connections at once: as many entries, each with its own connection and time."""
    async with Simulator(Population(40, login_every=0)) as simulator:
        keys = [f"fake-key-{number:04d}" for number in range(1, 41)]
        await asyncio.gather(*(stats(simulator, key) for key in keys))
        arrivals = list(simulator.log.arrivals)
    assert {each.session for each in arrivals} == {f"mailbox-{n:04d}" for n in range(1, 41)}
    assert len({each.connection for each in arrivals}) == 40
    assert all(each.status == 200 for each in arrivals)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.invalid"])  # noqa: S104
def test_only_loopback_unless_told_otherwise(host: str) -> None:
    """A simulator is not for the network."""
    with pytest.raises(ValueError, match="must be a loopback address"):
        Simulator(PEOPLE, host=host)


async def test_the_url_is_known_while_it_runs() -> None:
    """Before and after, asking is a mistake."""
    simulator = Simulator(PEOPLE)
    with pytest.raises(RuntimeError, match="not running"):
        _ = simulator.url
    async with simulator:
        assert simulator.url.startswith("http://127.0.0.1:")
        assert simulator.url.endswith("/v4.1/prod/ECGridOS.asmx")
    with pytest.raises(RuntimeError, match="not running"):
        _ = simulator.url
