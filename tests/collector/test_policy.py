from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.outcomes import FaultClass
from collector.outcomes.meaning import Meaning
from collector.outcomes.policy import (
    Backoff,
    Circumstances,
    Decision,
    Pauses,
    SlowDowns,
    WrongService,
    backoff_seconds,
    decide,
    ends_session,
)
from collector.runs.reports import INSTANT_STATS
from collector.wire.operations import (
    LOGIN,
    LOGOUT,
    NOW_UTC,
    VERSION,
    WHO_AM_I,
    Operation,
)
from collector.wire.replies import Payload

ATTEMPTS = 4
BACKOFF = Backoff(ATTEMPTS, base_seconds=0.5, cap_seconds=3.0)
ANSWER = Meaning(Payload(None), status=200)
F = FaultClass
PASSING = {F.THROTTLED, F.SERVER, F.NOT_SERVICE, F.MALFORMED, F.TRANSPORT, F.TIMEOUT, F.DAMAGED}
# operation -> class -> how often it is made in all where it comes to nothing else; once where not named
MADE: dict[Operation, dict[FaultClass, int]] = {
    INSTANT_STATS.operation: {
        **dict.fromkeys({*PASSING, F.AUTHENTICATION}, ATTEMPTS),
        F.UNCLASSIFIED: 2,
    },
    LOGIN: dict.fromkeys(PASSING, ATTEMPTS),
    LOGOUT: dict.fromkeys(PASSING, ATTEMPTS),
    WHO_AM_I: {
        **dict.fromkeys({*PASSING, F.AUTHENTICATION, F.UNCLASSIFIED}, 2),
        F.THROTTLED: ATTEMPTS,
    },
    VERSION: {},
    NOW_UTC: {},
}


def failed(fault_class: FaultClass, status: int | None = 500, **more: Any) -> Meaning:
    """A request that came to a fault of that class."""
    return Meaning(None, fault_class, "said", status)._replace(**more)


def decided(
    operation: Operation, meaning: Meaning, charged: int = 0, jitter: float = 1.0, **more: bool
) -> Decision:
    """What the policy says."""
    return decide(operation, meaning, charged, BACKOFF, jitter, Circumstances(**more))


@pytest.mark.parametrize("fault_class", FaultClass)
@pytest.mark.parametrize("operation", MADE, ids=lambda operation: operation.name)
def test_how_often_a_request_is_made(operation: Operation, fault_class: FaultClass) -> None:
    """Every operation and every class of fault: made again within its own budget, and charged for it."""
    charged, made = 0, 0
    while made < 20:
        made += 1
        decision = decided(operation, failed(fault_class), charged)
        assert decision.charged == charged + 1
        charged = decision.charged
        if decision.wait_seconds is None:
            break
    assert made == MADE[operation].get(fault_class, 1)


@pytest.mark.parametrize("fault_class", FaultClass)
def test_one_attempt_is_one(fault_class: FaultClass) -> None:
    """With `retry.attempts = 1` nothing is made again."""
    for operation in MADE:
        once = Backoff(1, 0.5, 3.0)
        assert decide(operation, failed(fault_class), 0, once, 1.0).wait_seconds is None


def test_an_answer_ends_it() -> None:
    """Nothing more is to be done, and nobody pauses."""
    assert decided(INSTANT_STATS.operation, ANSWER, 2) == Decision(None, 3)


def test_a_refused_session_is_not_asked_again_where_no_login_helps() -> None:
    """An API key that is refused stays refused; a session that ended is asked again at once after its Login."""
    gone = failed(F.AUTHENTICATION)
    assert decided(INSTANT_STATS.operation, gone, may_log_in=False).wait_seconds is None
    assert decided(INSTANT_STATS.operation, gone).wait_seconds == 0.0


def test_probes_of_an_outage_are_free() -> None:
    """While the service is down a failure says nothing about the call: asked for ever, charged never, no wait added."""
    outage = failed(F.TRANSPORT, None, is_outage=True)
    assert decided(INSTANT_STATS.operation, outage, 3, is_down=True) == Decision(0.0, 3)
    # what the service itself said while it was taken to be down is no probe
    assert decided(INSTANT_STATS.operation, failed(F.SERVER), 3, is_down=True).wait_seconds is None


def test_a_retry_after_holds_for_probes() -> None:
    """A service that is down and says until when is not asked before."""
    down = failed(F.THROTTLED, 503, is_outage=True, slows_everybody=True, retry_after_seconds=9.0)
    expected = Decision(9.0, 2, Pauses.EVERYBODY, 9.0)
    assert decided(INSTANT_STATS.operation, down, 2, is_down=True) == expected


def test_what_another_call_has_paid_for_is_free() -> None:
    """A session that ends for many calls at once costs one of them an attempt."""
    assert decided(INSTANT_STATS.operation, failed(F.AUTHENTICATION), 3, is_free=True) == Decision(
        0.0, 3
    )


@pytest.mark.parametrize("operation", MADE, ids=lambda operation: operation.name)
def test_who_pauses(operation: Operation) -> None:
    """A 429 pauses its session, a 503 with Retry-After everybody, and so does a streak; whatever the operation."""
    told = failed(F.THROTTLED, 429, asks_to_slow_down=True, retry_after_seconds=7.0)
    assert decided(operation, told)[2:] == (Pauses.SESSION, 7.0)
    assert decided(operation, told, is_streak=True)[2:] == (Pauses.EVERYBODY, 7.0)
    overloaded = told._replace(status=503, slows_everybody=True)
    assert decided(operation, overloaded)[2:] == (Pauses.EVERYBODY, 7.0)
    assert decided(operation, failed(F.SERVER), is_streak=True)[2:] == (Pauses.NOBODY, 0.0)


def test_the_longer_wait_counts() -> None:
    """Backoff and Retry-After are both heeded: the longer one is the wait."""
    for retry_after, expected in ((0.2, 1.0), (5.0, 5.0), (None, 1.0)):
        told = failed(F.THROTTLED, 429, retry_after_seconds=retry_after)
        assert decided(INSTANT_STATS.operation, told, 1).wait_seconds == expected


def test_waits_grow_with_failures_that_are_not_charged() -> None:
    """A Login that finds no room is not charged, but asks less and less often."""
    cap = failed(F.THROTTLED)
    waits = [
        decide(
            LOGIN, cap, 0, BACKOFF, 1.0, Circumstances(is_free=True, failed_before=n)
        ).wait_seconds
        for n in range(5)
    ]
    assert waits == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_three_slow_downs_in_a_row_are_meant_for_everybody() -> None:
    """Whatever the operations; an answer or another fault in between begins anew, no reply at all does not."""
    told = failed(F.THROTTLED, 429, asks_to_slow_down=True)
    for between, expected in ((ANSWER, False), (failed(F.SERVER), False), (None, True)):
        heard = SlowDowns()
        for meaning in (told, told, between or failed(F.TRANSPORT, None), told):
            assert not heard.means_everybody
            heard.heard(meaning)
        assert heard.means_everybody is expected


PAGE = failed(F.NOT_SERVICE, 404, is_web_page=True)


def heard(*told: tuple[str, Meaning], left: int = 10) -> list[bool]:
    """Whether after each of these the service is taken for the wrong one."""
    wrong = WrongService()
    return [wrong.heard(session, meaning, left) for session, meaning in told]


def test_pages_from_everybody_are_not_the_service() -> None:
    """Five pages, to three sessions or all that are left, and no word of the service yet."""
    assert heard(*((f"s{n % 3}", PAGE) for n in range(5))) == [False] * 4 + [True]
    assert heard(*((f"s{n % 2}", PAGE) for n in range(9))) == [False] * 9
    assert heard(*((f"s{n % 2}", PAGE) for n in range(5)), left=2) == [False] * 4 + [True]
    assert heard(*(("s0", PAGE) for n in range(5)), left=1) == [False] * 4 + [True]


@pytest.mark.parametrize(
    "meaning",
    [ANSWER, failed(F.AUTHENTICATION), failed(F.SERVER), failed(F.UNCLASSIFIED)],
    ids=["answer", "refusal", "fault", "unknown"],
)
def test_a_service_that_spoke_is_the_service(meaning: Meaning) -> None:
    """After one word of it, pages are those of an outage."""
    told = [("s0", PAGE), ("s1", meaning), *((f"s{n}", PAGE) for n in range(20))]
    assert not any(heard(*told))


@pytest.mark.parametrize(
    "meaning",
    [
        failed(F.TRANSPORT, None, is_outage=True),
        failed(F.SERVER, 502, is_outage=True),
        failed(F.MALFORMED, 200),
    ],
    ids=["nothing", "proxy", "broken"],
)
def test_what_says_nothing_about_who_answers(meaning: Meaning) -> None:
    """Nothing, a proxy's page at 5xx or broken bytes prove neither."""
    told = [("s0", meaning), *((f"s{n % 3}", PAGE) for n in range(5))]
    assert heard(*told) == [False] * 5 + [True]


def test_ends_of_sessions() -> None:
    """A Logout that is answered or refused has ended its session; one that was not heard has not."""
    assert ends_session(ANSWER)
    ending = {each for each in FaultClass if ends_session(failed(each))}
    assert ending == {
        F.AUTHENTICATION,
        F.AUTHORISATION,
        F.PARAMETER,
        F.NOT_FOUND,
        F.UNCLASSIFIED,
    }


POSITIVE = st.floats(0.001, 86_400)


@given(st.integers(1, 10**6), POSITIVE, POSITIVE, st.floats(0, 1))
def test_backoff_is_bounded(attempt: int, base: float, cap: float, random: float) -> None:
    """Between nothing and the cap, whatever the attempt; in proportion to the jitter; never less with attempts."""
    wait = backoff_seconds(attempt, base, cap, random)
    assert 0 <= wait <= cap
    most = backoff_seconds(attempt, base, cap, 1.0)
    assert wait == pytest.approx(random * most)
    assert most <= backoff_seconds(attempt + 1, base, cap, 1.0)


def test_backoff_doubles() -> None:
    """The base, then twice as much each time, then the cap."""
    assert [backoff_seconds(n, 0.5, 3.0, 1.0) for n in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]
