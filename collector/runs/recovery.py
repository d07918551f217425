"""Recovers damaged landing stores, and classifies replies that a crash left landed and not classified. No network."""

from collections.abc import Callable
from pathlib import Path

import structlog

from collector.config import Settings
from collector.domain.outcomes import Tries
from collector.domain.run import RunInfo
from collector.errors import LandingDamagedError, LandingError
from collector.landing import LandedRun, Landing, salvage
from collector.outcomes.classify_reply import classify_reply
from collector.outcomes.policy import Backoff, decide
from collector.runs.reports import report_of

__all__ = ["classify_leftovers", "is_usable", "readable", "recover", "settle_leftovers"]

_LOG = structlog.get_logger("landing")


def readable(path: Path) -> RunInfo | None:
    """The run of a store, recovered if it is damaged; None if it cannot be read, which hinders no other run."""
    try:
        try:
            with LandedRun.open(path) as landed:
                return landed.info
        except LandingDamagedError as error:
            return recover(path, error)
    except LandingError as error:
        _LOG.error("a run is passed over", path=str(path), said=str(error))
        return None


def is_usable(path: Path) -> bool:
    """Read a whole store, body by body, and recover it if it is damaged; whether it can be used.

    Raises:
        LandingError: the folder cannot be written.
    """
    try:
        with LandedRun.open(path) as landed:
            landed.verify()
    except LandingDamagedError as error:
        try:
            recover(path, error)
        except LandingDamagedError as hopeless:
            _LOG.error("a run is passed over", path=str(path), said=str(hopeless))
            return False
    return True


def recover(path: Path, found: LandingDamagedError) -> RunInfo:
    """Put what can be read of a damaged store in its place, and keep the damaged one aside.

    Raises:
        LandingDamagedError: nothing can be read; the store was set aside.
        LandingError: the folder cannot be written; the store is where it was.
    """
    saved = salvage(path)
    _LOG.error(
        "a landing store was damaged; what can be read of it goes on, put a good copy back to have the rest",
        run_id=saved.info.run_id,
        said=str(found),
        kept_at=str(saved.aside),
        replies_saved=saved.replies,
        replies_lost=saved.lost_replies,
        answers_lost=len(saved.damaged),
        calls_restored=saved.restored_calls,
        calls_lost=saved.lost_calls,
    )
    return saved.info


async def settle_leftovers(settings: Settings, path: Path) -> None:
    """Classify replies that a crash left unclassified, in a run that is not resumed.

    Raises:
        LandingError: the store cannot be read or written.
    """
    with LandedRun.open(path) as landed:
        if next(landed.unclassified(), None) is None:
            return
    landing = Landing.resume(path)
    try:
        with LandedRun.open(path) as landed:
            classify_leftovers(settings, landed, landing)
    finally:
        await landing.close()


def classify_leftovers(
    settings: Settings,
    landed: LandedRun,
    landing: Landing,
    masked: Callable[[str, str], str] = lambda _, text: text,
) -> None:
    """Record outcomes for replies that were landed, but not classified before the program was killed.

    Args:
        masked: a session's label, and a text -> the text without what must not be said of the session.
    """
    retry = settings.retry
    backoff = Backoff(retry.attempts, retry.backoff_seconds, retry.max_backoff_seconds)
    tries = landed.tries()
    for reply in landed.unclassified():
        operation = report_of(reply.operation).operation
        outcome, meaning = classify_reply(operation, reply, settings.limits.max_reply_bytes)
        known = tries.get(reply.call_id, Tries())
        decision = decide(operation, meaning, known.charged, backoff, 0.0)
        tries[reply.call_id] = known._replace(charged=decision.charged)
        text = masked(reply.session, outcome.fault_text or "") or None
        outcome = outcome._replace(charged=decision.charged, fault_text=text)
        landing.settle(outcome, final=decision.wait_seconds is None)
