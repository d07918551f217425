"""What a call's attempts leave behind, and what recovery makes of replies that a crash left."""

from contextlib import closing
from pathlib import Path

from collector.config import ApiKey, Settings
from collector.domain.outcomes import FaultClass, Outcome, State, Tries
from collector.domain.secret import Secret
from collector.events import EventStream
from collector.landing import LandedRun
from collector.runs.attempt import Attempts, ServiceState
from collector.runs.gates import SessionGates
from collector.runs.recovery import classify_leftovers
from collector.runs.run import service_gate, transport_of
from collector.scheduling.rate_gates import SessionGate
from collector.sessions.credentials import Credentials
from tests.collector.landing_by_hand import CALLS, created, reply


def settings(root: Path) -> Settings:
    """A service that is not there."""
    return Settings.model_validate(
        {
            "service": {"url": "http://127.0.0.1:9/"},
            "windows": {"minutes": [60]},
            "sessions": [{"label": "acme", "api_key": "env:T_KEY"}],
            "storage": {"root": root},
        }
    )


async def test_what_was_sent_stays_known_where_nothing_is_sent_any_more(tmp_path: Path) -> None:
    """The last request's minutes and time are those of the last request, whatever comes after it."""
    asked, known = settings(tmp_path), Credentials({"acme": ApiKey(Secret("a-fake-key"))})
    landing = created(tmp_path / "landing")
    with closing(service_gate(asked)) as gate:
        async with transport_of(asked) as transport:
            shared = Attempts(asked, transport, known, ServiceState(), EventStream(), landing)
            attempts = shared.of("acme", SessionGates(gate, SessionGate(100.0)))
            never = await attempts.call(CALLS[0], Tries())
            before = Tries(1, 1, (96, 156), 1_700_000_000_000_000)
            again = await attempts.call(CALLS[0], before)
    assert never.outcome.fault_class is FaultClass.TRANSPORT
    assert (never.outcome.minutes, never.outcome.requested_at_us) == (None, None)
    assert (again.outcome.minutes, again.outcome.requested_at_us) == before[2:]
    assert again.tries == before  # nobody was answered yet: it is not charged
    landing.settle(again.outcome, final=False)
    await landing.flush()
    with LandedRun.open(landing.path) as landed:
        assert landed.tries() == {CALLS[0].call_id: again.tries}
    await landing.close()


async def test_replies_that_a_crash_left(tmp_path: Path) -> None:
    """Each of them counts, and nothing is said that must not be."""
    landing = created(tmp_path)
    for attempt in (1, 2, 3):
        page = reply(CALLS[0], attempt, b"<html>jdoe-acme is not served")
        html = {"content-type": "text/html"}
        await landing.land(page._replace(status=502, headers=html, cut=False))
    await landing.land(reply(CALLS[1], 1, b""))
    with LandedRun.open(landing.path) as landed:
        classify_leftovers(
            settings(tmp_path), landed, landing, lambda session, text: f"{session}: {len(text)}"
        )
    await landing.close()
    with LandedRun.open(landing.path) as landed:
        assert landed.tries()[CALLS[0].call_id].charged == 3
        found: dict[str, Outcome] = {each.call_id: each for each in landed.outcomes()}
    left = found[CALLS[0].call_id]
    assert (left.state, left.attempts, left.charged) == (State.FAILED, 3, 3)
    assert (left.fault_text or "").startswith(f"{CALLS[0].session}: ")
