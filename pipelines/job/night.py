"""The result of a run, as `--json` prints it, and the exit code that it means. Does nothing itself."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from collector.domain.outcomes import FaultClass
from collector.domain.run import RunSummary
from collector.runs.run import OUTAGE, WRONG_SERVICE, Collected
from pipelines.job.collecting import DEADLINE
from pipelines.job.exit_code import ExitCode

__all__ = ["Night", "night_of"]

if TYPE_CHECKING:
    from pipelines.history import Coverage
    from pipelines.normalize import Normalized
    from pipelines.warehouse.loading import Load

_NO_SIGNAL: Final = (None, DEADLINE, OUTAGE)


@dataclass(frozen=True, slots=True)
class Night:
    """What a run came to, as `--json` prints it.

    Attributes:
        rows: rows of `instant_stats` published.
        faults: failed calls by the class of their fault.
        quarantined: calls among the failed that were answered, but whose answer did not pass the checks.
        checks: answers per check that they did not pass.
        networks: by label that asks for a whole network, what that seems to be beside its mailboxes.
        stopped: why the run ended early.
        resumed: an earlier invocation had begun it.
        loads: what each configured warehouse got.
        history: how much of it is known, in spans; None for trailing windows, and where nothing was published.
        behind: a warehouse or the history is not up to date.
    """

    run_id: str
    planned: int
    ok: int
    empty: int
    failed: int
    not_attempted: int
    attempts: int
    logins: int
    rows: int
    files: int
    seconds: float
    exit_code: ExitCode
    faults: Mapping[str, int] | None = None
    quarantined: int = 0
    checks: Mapping[str, int] | None = None
    networks: Mapping[str, str] | None = None
    stopped: str | None = None
    resumed: bool = False
    loads: "Mapping[str, Load] | None" = None
    history: "Coverage | None" = None
    behind: bool = False

    def is_success(self, failed_calls_above: int) -> bool:
        """Whether it ended as it should, but for so many failed calls."""
        if self.exit_code is ExitCode.CALLS_FAILED:
            return self.failed + self.not_attempted <= failed_calls_above and not self.behind
        return self.exit_code is ExitCode.DONE


def night_of(
    collected: Collected,
    summary: RunSummary,
    normalized: "Normalized | None",
    started: float,
    loads: "Mapping[str, Load] | None" = None,
) -> Night:
    """The counts of what was published, where it was, else of what was collected."""
    counts = asdict(summary)
    if normalized is not None:
        counts |= {
            name: getattr(normalized, name)
            for name in ("planned", "ok", "empty", "failed", "not_attempted", "attempts")
        }
    is_behind = any(not load.caught_up for load in (loads or {}).values())
    answered = counts["ok"] + counts["empty"]
    is_unheard = counts["planned"] and not answered
    if collected.stopped == WRONG_SERVICE or (is_unheard and collected.stopped in _NO_SIGNAL):
        exit_code = ExitCode.FAILED
    elif collected.stopped is not None:
        exit_code = ExitCode.STOPPED
    elif counts["failed"] or counts["not_attempted"] or is_behind:
        exit_code = ExitCode.CALLS_FAILED
    else:
        exit_code = ExitCode.DONE
    quarantined = normalized.quarantined if normalized else 0
    faults = {fault.value: count for fault, count in collected.faults.items()}
    if quarantined:
        faults[FaultClass.QUARANTINED.value] = quarantined
    return Night(
        **counts,
        rows=normalized.rows if normalized else 0,
        files=normalized.files if normalized else 0,
        seconds=round(time.monotonic() - started, 3),
        exit_code=exit_code,
        faults=faults,
        quarantined=quarantined,
        checks=dict(normalized.violations) if normalized else None,
        networks=dict(normalized.networks) if normalized else None,
        stopped=collected.stopped,
        resumed=collected.resumed,
        loads=loads,
        behind=is_behind,
    )
