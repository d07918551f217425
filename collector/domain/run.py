"""A run (its id, its service, its start) and the sums of its ledger, as values."""

from dataclasses import dataclass

from collector.domain.binding import Binding

__all__ = ["RunInfo", "RunSummary"]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run: against which service, since when. What it asks is the plan in its landing store.

    Attributes:
        run_id: its start in UTC and six hexadecimal digits, e.g. `20260131T020000Z-1f2e3d`.
        service_url: without credentials or query.
        started_at_us: the client's clock, in microseconds since 1970.
        finished_at_us: None while calls are missing, or what they brought is to be published; such a run is resumed.
    """

    run_id: str
    service_url: str
    namespace: str
    binding: Binding
    started_at_us: int
    finished_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The sums of a run's ledger; planned = ok + empty + failed + not_attempted.

    Attributes:
        attempts: requests of reports sent, over all invocations that worked on the run.
        logins: Login requests sent, over all invocations that worked on the run.
    """

    run_id: str
    planned: int
    ok: int
    empty: int
    failed: int
    not_attempted: int
    attempts: int
    logins: int
