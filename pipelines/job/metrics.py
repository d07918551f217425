"""The numbers of the last run as a file for node_exporter's textfile collector: values in, a file out.

The file holds one series for each number, and for each state or class of a closed set: as many, whatever the number of
sessions. What a run does not know (one that failed early knows nothing of the history) stays as the file has it.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from collector.domain.outcomes import FaultClass, State
from collector.version import VERSION
from pipelines.job.night import Night

__all__ = ["Readings", "began", "earlier", "ended", "write"]

_PREFIX: Final = "ecgrid_stats_"
_MOST_BYTES: Final = 65_536
_MODE: Final = 0o644  # node_exporter is another user
_LINE: Final = re.compile(rf'{_PREFIX}(\w+)(?:\{{\w+="(\w+)"\}})? (\S+)')


@dataclass(frozen=True, slots=True)
class _Family:
    """What is measured.

    Attributes:
        help: one sentence.
        label: by which it is told apart; None for a single series.
        values: of that label, all there can be.
    """

    help: str
    label: str | None = None
    values: tuple[str, ...] = ("",)


_STATES: Final = tuple(state.value for state in State)
_CLASSES: Final = tuple(fault.value for fault in FaultClass)
_FAMILIES: Final[Mapping[str, _Family]] = {
    "run_at_work": _Family("1 while a run is at work; stays 1 after one that was killed."),
    "last_run_start_timestamp_seconds": _Family("When the last run began, in seconds since 1970."),
    "last_run_end_timestamp_seconds": _Family("When the last run ended, in seconds since 1970."),
    "last_success_timestamp_seconds": _Family(
        "When the last run that was a success ended, in seconds since 1970."
    ),
    "last_run_success": _Family(
        "1 if the last run that ended was a success: exit code 0, or no more failed calls than"
        " alert.failed_calls_above."
    ),
    "last_run_exit_code": _Family("Exit code of the last run that ended."),
    "last_run_duration_seconds": _Family("How long the last run that ended took."),
    "last_run_calls": _Family(
        "Planned calls of the last run by the state they ended in.", "state", _STATES
    ),
    "last_run_failed_calls": _Family(
        "Failed calls of the last run by class of fault.", "class", _CLASSES
    ),
    "last_run_attempts": _Family("Requests of reports that the last run sent."),
    "last_run_retries": _Family("Requests that the last run was to make again."),
    "last_run_logins": _Family("Login requests that the last run sent."),
    "last_run_rows": _Family("Rows of instant_stats that the last run published."),
    "history_spans": _Family(
        "Spans of all sessions in the history by what is known of them.",
        "state",
        ("exact", "bounded", "unseen"),
    ),
    "history_lost_spans": _Family("Unseen spans that the service cannot answer for any more."),
    "history_healed_spans": _Family("Spans of earlier nights that the last run made known."),
    "history_expiring_spans": _Family(
        "Unseen spans that were lost within three days of the last run if no answer came."
    ),
    "history_next_expiry_timestamp_seconds": _Family(
        "When the first span that is still asked for is lost, in seconds since 1970; absent if there is none."
    ),
}

Readings = Mapping[tuple[str, str], float]
"""By name without the prefix and value of its label ("" for none)."""


def earlier(path: Path) -> Readings:
    """What the file says; nothing of what is damaged or not ours."""
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            text = (file.read(_MOST_BYTES) or b"").decode(errors="replace")
    except OSError:
        return {}
    found: dict[tuple[str, str], float] = {}
    for line in text.splitlines():
        if (match := _LINE.fullmatch(line)) is None:
            continue
        name, value = match[1], match[2] or ""
        if name in _FAMILIES and value in _FAMILIES[name].values:
            try:
                found[name, value] = float(match[3])
            except ValueError:
                continue
    return found


def began(before: Readings, now: float) -> Readings:
    """A run is at work; all else is as it was. Seconds since 1970."""
    return {**before, ("run_at_work", ""): 1.0, ("last_run_start_timestamp_seconds", ""): now}


def ended(
    before: Readings,
    now: float,
    seconds: float,
    exit_code: int,
    night: Night | None = None,
    *,
    is_success: bool = False,
    retries: int = 0,
) -> Readings:
    """How a run ended.

    Args:
        before: what the file said.
        now: seconds since 1970.
        seconds: how long it took.
        exit_code: of the process.
        night: what it came to; None for one that failed before it knew, and of its calls nothing is said.
        is_success: it ended as it should.
        retries: requests that were to be made again.
    """
    found = {key: value for key, value in before.items() if not key[0].startswith("last_run_")}
    start = before.get(("last_run_start_timestamp_seconds", ""), now)
    found |= {
        ("run_at_work", ""): 0.0,
        ("last_run_start_timestamp_seconds", ""): start,
        ("last_run_end_timestamp_seconds", ""): now,
        ("last_run_exit_code", ""): float(exit_code),
        ("last_run_success", ""): float(is_success),
        ("last_run_duration_seconds", ""): seconds,
    }
    if is_success:
        found["last_success_timestamp_seconds", ""] = now
    if night is None:
        return found
    found |= {("last_run_calls", state): float(getattr(night, state)) for state in _STATES}
    faults = night.faults or {}
    found |= {("last_run_failed_calls", name): float(faults.get(name, 0)) for name in _CLASSES}
    for name in ("attempts", "logins", "rows"):
        found[f"last_run_{name}", ""] = float(getattr(night, name))
    found["last_run_retries", ""] = float(retries)
    return found if night.history is None else _with_history(found, night)


def _with_history(found: dict[tuple[str, str], float], night: Night) -> Readings:
    history = night.history
    if history is None:
        return found
    for state in _FAMILIES["history_spans"].values:
        found["history_spans", state] = float(getattr(history, state))
    for name in ("lost", "healed", "expiring"):
        found[f"history_{name}_spans", ""] = float(getattr(history, name))
    found.pop(("history_next_expiry_timestamp_seconds", ""), None)
    if history.next_expiry_us is not None:
        found["history_next_expiry_timestamp_seconds", ""] = history.next_expiry_us / 1_000_000
    return found


def write(path: Path, readings: Readings) -> None:
    """Replace the file with one that says this; readers see the one or the other, whole.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    from prometheus_client import CollectorRegistry, Gauge, Info, generate_latest  # noqa: PLC0415  # who has no textfile need not wait for it

    registry = CollectorRegistry()
    Info(f"{_PREFIX}build", "The program that wrote this.", registry=registry).info(
        {"version": VERSION}
    )
    for name, family in _FAMILIES.items():
        known = {
            value: readings[name, value] for value in family.values if (name, value) in readings
        }
        if not known:
            continue
        labels = (family.label,) if family.label else ()
        gauge = Gauge(_PREFIX + name, family.help, labels, registry=registry)
        for value, number in known.items():
            (gauge.labels(value) if labels else gauge).set(number)
    # not by `write_to_textfile`, whose file has the mode that the umask of cron or systemd leaves
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(generate_latest(registry))
            os.fchmod(file.fileno(), _MODE)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a FIFO would be waited for
