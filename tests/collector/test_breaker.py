"""When a service counts as down, when it is asked again, and what that means for what is handed out."""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.outcomes import Tries
from collector.scheduling.breaker import FAILURES, MOST_SECONDS, Breaker
from collector.scheduling.dispatch import Dispatch, SessionQueue, WorkItem
from collector.scheduling.rate_gates import SessionGate
from tests.collector.landing_by_hand import stats_call
from tests.collector.virtual_time import Clock, run


@dataclass
class Watched:
    """A breaker, and what it asked for."""

    sessions: int = 40
    longest: float = 3_600.0
    now: float = 0.0
    holds: list[float] = field(default_factory=list)
    released: int = 0
    given_up: list[float] = field(default_factory=list)
    told: list[tuple[object, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.breaker = Breaker(
            self,
            sessions_left=lambda: self.sessions,
            longest_seconds=self.longest,
            now=lambda: self.now,
        )

    def hold(self, until: float) -> None:
        """Nothing is sent before then."""
        self.holds.append(until)

    def release(self) -> None:
        """All may send again."""
        self.released += 1

    def opened(self, said: str) -> None:
        """The service is taken to be down."""
        self.told.append(("opened", said))

    def still_down(self, said: str, next_in_seconds: float) -> None:
        """A probe has failed."""
        self.told.append(("still down", said, next_in_seconds))

    def closed(self, after_seconds: float) -> None:
        """The service is there again."""
        self.told.append(("closed", after_seconds))

    def gave_up(self, after_seconds: float) -> None:
        """It did not come back."""
        self.told.append(("gave up", after_seconds))
        self.given_up.append(self.now)

    def fail(self, *sessions: str) -> None:
        """One request of each fails."""
        for number, session in enumerate(sessions):
            self.breaker.failed(session, f"{session}-{number}")


def test_it_opens_when_several_sessions_fail_in_a_row() -> None:
    """Not before so many failures, not by one session, and not if an answer came in between."""
    watched = Watched()
    watched.fail(*"abcd")
    assert not watched.breaker.is_open
    watched.breaker.answered("x", "x-1")
    watched.fail(*"efgh")
    assert not watched.breaker.is_open
    watched.fail("i")
    assert watched.breaker.is_open
    assert watched.holds == [1.0]


def test_one_session_alone_is_not_the_service() -> None:
    """However often it fails, unless it is the last one left."""
    watched = Watched()
    watched.fail(*("a" * 100), *("b" * 100))
    assert not watched.breaker.is_open
    alone = Watched(sessions=1)
    alone.fail(*("a" * FAILURES))
    assert alone.breaker.is_open


def test_two_calls_are_not_waited_for() -> None:
    """However few sessions are left: two calls that fail again and again use up their attempts."""
    watched = Watched(sessions=2)
    for _ in range(20):
        watched.fail("a", "b")
    assert not watched.breaker.is_open


def test_a_fault_is_an_answer_of_anybody() -> None:
    """One answer to anybody closes it."""
    watched = Watched()
    watched.fail(*"abcde")
    watched.now = 1.0
    watched.breaker.answered("a", "a-0")
    assert not watched.breaker.is_open
    assert watched.released == 1
    watched.fail(*"abcde")
    assert watched.breaker.is_open, "what failed while it was open is no trouble of its own"


def test_own_trouble_is_not_counted() -> None:
    """Sessions and calls that failed while others were answered do not open it later, when only they are left."""
    watched = Watched(sessions=4)
    for _ in range(2):
        watched.fail(*"abc")
        watched.breaker.answered("d", "d-0")
    watched.fail(*"abc" * 20)
    assert not watched.breaker.is_open
    watched.breaker.answered("a", "a-9")
    watched.fail(*"add" * 2)
    assert watched.breaker.is_open, "an answer clears a session"


def test_the_last_session_was_never_answered() -> None:
    """Others were: it has trouble of its own, however many others have, and nobody waits for it."""
    watched = Watched(sessions=4)
    watched.breaker.answered("a", "a-0")
    watched.fail(*"bc")
    watched.breaker.answered("a", "a-1")
    watched.sessions = 1
    watched.fail(*("d" * 100))
    assert not watched.breaker.is_open
    watched.fail(*"ef")
    assert watched.breaker.is_open, (
        "three that were never answered, one after the other, are no chance"
    )


def test_the_last_session_was_answered_before() -> None:
    """What it gets has changed: that is no trouble that it always had, and a run of one session is like it."""
    watched = Watched(sessions=2)
    watched.breaker.answered("a", "a-0")
    watched.breaker.answered("b", "b-0")
    watched.sessions = 1
    watched.fail(*("b" * FAILURES))
    assert watched.breaker.is_open


def test_probes_are_ever_rarer_and_end() -> None:
    """1 s, then twice as long each time, at most a minute; the last one when the time is up."""
    watched = Watched(longest=300.0)
    watched.fail(*"abcde")
    waits = []
    while not watched.given_up:
        waits.append(watched.holds[-1] - watched.now)
        watched.now = watched.holds[-1]
        watched.fail("a")
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, *[MOST_SECONDS] * 3, 57.0]
    assert watched.given_up == [300.0]


def test_what_was_on_its_way_does_not_count() -> None:
    """Requests that were out when it opened may fail later; the next probe stays where it is."""
    watched = Watched()
    watched.fail(*"abcdefghijk")
    assert watched.holds == [1.0]


@given(st.lists(st.sampled_from("abcdefgh"), max_size=200))
def test_a_session_that_always_fails_never_opens_it(order: list[str]) -> None:
    """Two of eight sessions fail at every request, the others never: whatever the order, nothing is held.

    Nothing but the order in which the first answers come is left to chance: at first nobody can know.
    """
    watched = Watched(sessions=8)
    watched.fail("a", "b")
    watched.breaker.answered("c", "c-0")
    for number, session in enumerate(order):
        if session in "ab":
            watched.breaker.failed(session, f"{session}-{number}")
        else:
            watched.breaker.answered(session, f"{session}-{number}")
    assert watched.holds == []


LATENCY = 0.05
CONCURRENCY = 8


def test_what_is_told() -> None:
    """When it opened and why, each probe that failed and when the next one goes out, and when it closed."""
    watched = Watched()
    for number in range(FAILURES):
        watched.breaker.failed(f"s{number}", f"c{number}", "refused")
    assert watched.told == [("opened", "refused")]
    watched.now = 1.25
    watched.breaker.failed("s9", "c9", "reset")
    assert watched.told[1:] == [("still down", "reset", 2.0)]
    watched.now = 3.5
    watched.breaker.answered("s9", "c9")
    assert watched.told[2:] == [("closed", 3.5)]


def test_what_is_answered_after_it_gave_up() -> None:
    """A Logout that is heard brings no call back: nobody is told that the service answers again."""
    watched = Watched(longest=1.0)
    for number in range(FAILURES):
        watched.breaker.failed(f"s{number}", f"c{number}")
    watched.now = 2.0
    watched.breaker.failed("s9", "c9")
    assert watched.told[-1] == ("gave up", 2.0)
    watched.breaker.answered("s9", "Logout of s9")
    watched.breaker.failed("s9", "c9")
    assert [each[0] for each in watched.told] == ["opened", "gave up"]
    assert watched.released == 0
    assert watched.breaker.is_open


@dataclass
class Night:
    """A run in virtual time against a service that is down between two instants."""

    clock: Clock
    dispatch: Dispatch
    down: tuple[float, float]
    hangs: float
    longest: float
    attempts: Counter[object] = field(default_factory=Counter)
    meanwhile: list[float] = field(default_factory=list)
    settled: int = 0
    out: int = 0
    most_out: Counter[str] = field(default_factory=Counter)
    out_after: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.breaker = Breaker(
            self,
            sessions_left=lambda: self.dispatch.sessions_left,
            longest_seconds=self.longest,
            now=self.clock,
        )

    def hold(self, until: float) -> None:
        """Nothing is handed out before then."""
        self.dispatch.hold(until)

    def release(self) -> None:
        """All is handed out again."""
        self.dispatch.release()

    def opened(self, said: str) -> None:
        """Nothing depends on it here."""

    def still_down(self, said: str, next_in_seconds: float) -> None:
        """Nothing depends on it here."""

    def closed(self, after_seconds: float) -> None:
        """Nothing depends on it here."""

    def gave_up(self, after_seconds: float) -> None:
        """The run ends."""
        self.dispatch.close()

    async def work(self) -> None:
        """What a worker does."""
        while (work := await self.dispatch.next()) is not None:
            await asyncio.sleep(0.01)  # the rate gate
            if not self.dispatch.wants(work):
                self.dispatch.put_back(work, self.clock(), work.tries)
                continue
            await self._send(work)

    async def _send(self, work: WorkItem) -> None:
        session = work.queue.session
        await work.queue.gate.acquire()
        self.dispatch.sent(work)
        is_down = self.down[0] <= self.clock() < self.down[1]
        self.out += 1
        state = "open" if self.breaker.is_open else "closed"
        self.most_out[state] = max(self.most_out[state], self.out)
        if self.meanwhile and not is_down:
            self.out_after.append(self.out)
        await asyncio.sleep(self.hangs if is_down else LATENCY)
        self.out -= 1
        if not is_down:
            self.breaker.answered(session, str(work.item))
            self.settled += 1
            self.dispatch.done(work)
            return
        self.meanwhile.append(self.clock())
        self.attempts[work.item] += 1
        self.breaker.failed(session, str(work.item))
        self.dispatch.put_back(work, self.clock() + 0.5, Tries(work.tries.sent + 1))


def night(seconds: float, hangs: float, longest: float = 1e9) -> Night:
    """20 sessions of 12 calls; the service goes away after a second, for so long."""

    async def main(clock: Clock) -> Night:
        queues = [
            SessionQueue(
                f"s{n}",
                SessionGate(1_000),
                deque([f"s{n}"]),
                lambda label: deque((stats_call(label, w, w), Tries()) for w in range(1, 13)),
                deque(),
            )
            for n in range(20)
        ]
        begin = clock() + 1.0
        dispatch = Dispatch(queues, concurrency=CONCURRENCY, per_session=2)
        made = Night(clock, dispatch, (begin, begin + seconds), hangs, longest)
        await asyncio.gather(*(made.work() for _ in range(CONCURRENCY)))
        return made

    return run(main)


@pytest.mark.parametrize("hangs", [0.001, 60.0], ids=["refused", "timeout"])
def test_an_hour_of_outage(hangs: float) -> None:
    """About a probe a minute, one at a time; every call is settled in the end, and none was tried thrice."""
    made = night(3_600, hangs)
    assert made.settled == 240
    assert len(made.meanwhile) <= FAILURES + CONCURRENCY + 6 + 60
    assert len(made.meanwhile) > 20
    assert max(made.attempts.values()) <= 2
    assert made.most_out["open"] == 1


def test_a_night_of_outage_ends() -> None:
    """After the longest outage nothing more is sent."""
    made = night(1e9, 0.001, longest=3_600)
    assert made.meanwhile[-1] - made.meanwhile[0] <= 3_700
    assert len(made.meanwhile) <= FAILURES + CONCURRENCY + 6 + 60
    assert made.settled < 240


def test_after_an_outage_it_begins_slowly() -> None:
    """The answered probe is followed by one request and then by two at once, not by eight."""
    made = night(100, 0.001)
    assert made.settled == 240
    assert made.out_after[:2] == [1, 1]
    assert max(made.out_after[:4]) <= 3
    assert max(made.out_after) == CONCURRENCY


def test_how_long_it_was_down_is_told() -> None:
    """From the failure that opened it, whatever the clock says at that moment."""
    watched = Watched(longest=100.0, now=5_000.0)
    watched.fail(*"abcde")
    assert watched.breaker.is_open
    watched.now = 5_030.0
    watched.breaker.answered("x", "x-1")
    assert ("closed", 30.0) in watched.told
    watched.fail(*"abcde")
    watched.now = 5_131.0
    watched.fail("a")
    assert ("gave up", 101.0) in watched.told
