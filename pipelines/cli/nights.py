"""`demo`: plays nights of the past in turn, with one that nobody ran and a mailbox that fails for two."""

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from collector.config import Settings
from collector.domain import clock
from pipelines.job.night import Night
from pipelines.job.planning import plan_now

if TYPE_CHECKING:
    from pipelines.history import Coverage

__all__ = ["Played", "played", "set_simulator"]

_START: Final = timedelta(hours=2, minutes=15)
_DAY: Final = timedelta(days=1)
_OUT: Final = "mailbox-0003"
_WAIT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Played:
    """A night.

    Attributes:
        night: what its run came to; None where nobody ran.
        before: how the history stood when it began, with what there was to ask for.
    """

    started: datetime
    night: Night | None = None
    before: "Coverage | None" = None

    def said(self) -> str:
        """A line for people."""
        if self.night is None:
            return f"{self.started:%Y-%m-%d %H:%M}  nobody ran"
        done = (
            f"{self.started:%Y-%m-%d %H:%M}  {self.night.planned} calls, {self.night.failed} failed"
        )
        if self.before is None or (after := self.night.history) is None:
            return done
        known = self.before.exact + self.before.bounded, after.exact + after.bounded
        healed = f", {after.healed} of them healed" if after.healed else ""
        return f"{done}; {known[0]} of {after.spans} hours known before, {known[1]} after{healed}"


def played(
    settings: Settings,
    nights: int,
    set_service: Callable[[Mapping[str, Any]], None],
    run: Callable[[], Night],
) -> Iterator[Played]:
    """So many nights, the last one the latest that has been; it ends early where a run was stopped.

    Args:
        set_service: sets switches of the simulator.
        run: the job, by the clock of that night.
    """
    now = datetime.now(UTC)
    last = datetime(now.year, now.month, now.day, tzinfo=UTC) + _START
    if last > now:
        last -= _DAY
    missed = nights // 2 if nights > 2 else None
    out = () if missed is None else (missed - 2, missed - 1)
    for number in range(nights):
        start = last - (nights - 1 - number) * _DAY
        if number == missed:
            yield Played(start)
            continue
        ahead = start - datetime.now(UTC)
        seconds = {"clock_offset_seconds": str(ahead.total_seconds())}
        own = {**seconds, "ex_scope": "none" if number in out else "network"}
        set_service({"switches": seconds, "sessions": {_OUT: own}})
        with clock.moved(ahead // timedelta(microseconds=1)):
            before = plan_now(settings).coverage()
            night = run()
        yield Played(start, night, before)
        if night.stopped is not None:
            return


def set_simulator(url: str, wanted: Mapping[str, Any]) -> None:
    """Set switches of the simulator that listens there."""
    page = url.partition("/v4")[0] + "/_simulator/switches"
    body = json.dumps(wanted).encode()
    with urllib.request.urlopen(page, body, _WAIT_SECONDS):  # noqa: S310  # our own, on loopback
        pass
