"""Landed values -> the rows of `calls`, `raw` and `sessions`: frames of a stretch of the plan, in its order.

The index of calls and replies, `ordinal`, is the call's place in the plan.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import pandas as pd
import pyarrow as pa

from collector.domain.calls import Argument, Span, Trailing, arguments_of
from collector.domain.outcomes import FaultClass, State
from collector.domain.whoami import WhoAmI
from collector.landing import CallColumns, ReplyColumns
from pipelines.normalize.answers import BOOLEAN, INTEGER, MINUTES, TEXT, TIME, column
from pipelines.normalize.checks import READABLE, Level

__all__ = [
    "calls_of",
    "known_of",
    "raw_of",
    "results_of",
    "sessions_of",
    "with_quality",
    "with_results",
]

_FAULT_TEXT: Final = 500  # characters, as in the landing store
_ANSWERED: Final = (State.OK.value, State.EMPTY.value)
_RESULT: Final = ["state", "fault_class", "fault_text", "quality"]
_BYTES: Final = pd.ArrowDtype(pa.binary())
_MICROSECONDS_PER_MILLISECOND: Final = 1000.0


def calls_of(columns: CallColumns) -> pd.DataFrame:
    """Planned calls as collecting left them: the columns of `calls` but for `run_id`, and `answer_attempt`."""
    asked = [_asked(text) for text in columns.arguments]
    spans = [each if isinstance(each, Span) else None for each in asked]
    windows = [each if isinstance(each, Trailing) else None for each in asked]
    latency = column(columns.latency_us, INTEGER).astype("double[pyarrow]")
    return pd.DataFrame(
        {
            "call_id": column(columns.call_id, TEXT),
            "session": column(columns.session, TEXT),
            "operation": column(columns.operation, TEXT),
            "span_start": column([each and each.start_us for each in spans], TIME),
            "span_end": column([each and each.end_us for each in spans], TIME),
            # those that were sent, else those that are planned; those of a span are known when it is asked for
            "window1_minutes": column(columns.minutes1, MINUTES).fillna(
                column([each and each.minutes1 for each in windows], MINUTES)
            ),
            "window2_minutes": column(columns.minutes2, MINUTES).fillna(
                column([each and each.minutes2 for each in windows], MINUTES)
            ),
            "state": column(columns.state, TEXT),
            "attempts": column(columns.attempts, INTEGER),
            "answer_attempt": column(columns.answer_attempt, INTEGER),
            "http_status": column(columns.http_status, INTEGER),
            "fault_class": column(columns.fault_class, TEXT),
            "fault_text": column(columns.fault_text, TEXT),
            "requested_at": column(columns.requested_at_us, TIME),
            "observed_at": column(columns.observed_at_us, TIME),
            "latency_ms": latency / _MICROSECONDS_PER_MILLISECOND,
            "reply_bytes": column(columns.reply_bytes, INTEGER),
            "quality": column([None] * len(columns), TEXT),
        }
    ).set_index(pd.Index(columns.ordinal, name="ordinal"))


def _asked(arguments: str) -> Argument | None:
    """The windows or the span among a call's arguments; None if it has neither."""
    asked = arguments_of(arguments)
    return next((each for each in asked if isinstance(each, Trailing | Span)), None)


def raw_of(replies: ReplyColumns, calls: pd.DataFrame) -> pd.DataFrame:
    """Replies to some of the calls: the columns of `raw` but for `run_id`."""
    raw = pd.DataFrame(
        {
            "call_id": column(replies.call_id, TEXT),
            "attempt": column(replies.attempt, INTEGER),
            "session": column(replies.session, TEXT),
            "window1_minutes": column(replies.minutes1, MINUTES),
            "window2_minutes": column(replies.minutes2, MINUTES),
            "binding": column(replies.binding, TEXT),
            "request": column(replies.request, TEXT),
            "http_status": column(replies.status, INTEGER),
            "headers": column(replies.headers, TEXT),
            "body": column(replies.body, _BYTES),
            "masked": column(replies.masked, INTEGER).astype(BOOLEAN),
            "cut": column(replies.cut, INTEGER).astype(BOOLEAN),
            "sent_at": column(replies.sent_at_us, TIME),
            "received_at": column(replies.received_at_us, TIME),
            "body_sha256": column([digest.hex() for digest in replies.sha256], TEXT),
        }
    ).set_index(pd.Index(replies.ordinal, name="ordinal"))
    answered = calls[calls["state"].isin(_ANSWERED)]["answer_attempt"]
    is_answer = raw["attempt"] == answered.reindex(raw.index)
    return raw.assign(is_answer=is_answer.fillna(value=False))


def results_of(
    answers: pd.DataFrame, with_counts: pd.Index, violations: pd.DataFrame
) -> pd.DataFrame:
    """What reading and checking made of answers, by answer: `state, fault_class, fault_text, quality`.

    Args:
        with_counts: the answers that have rows.
        violations: `check, level, message`, by answer.
    """
    checks = _joined(violations["check"], ",")
    out = violations[violations["level"] == Level.QUARANTINE]
    reasons = _joined(out["check"] + ": " + out["message"], "; ")
    is_out = pd.Series(answers.index.isin(reasons.index), answers.index)
    has_counts = pd.Series(answers.index.isin(with_counts), answers.index)
    passed = pd.Series(State.EMPTY.value, answers.index, TEXT).mask(has_counts, State.OK.value)
    none = pd.Series(pd.NA, answers.index, TEXT)
    return pd.DataFrame(
        {
            "state": passed.mask(is_out, State.FAILED.value),
            "fault_class": none.mask(is_out, FaultClass.QUARANTINED.value),
            "fault_text": reasons.str[:_FAULT_TEXT].reindex(answers.index),
            "quality": checks.reindex(answers.index),
        },
        answers.index,
    )


def _joined(texts: pd.Series, between: str) -> pd.Series:
    """The texts of each answer as one; most answers have none or one."""
    is_alone = ~texts.index.duplicated(keep=False)
    several = texts[~is_alone].groupby(level=0, sort=False).agg(between.join)
    joined: pd.Series = pd.concat([texts[is_alone].astype(TEXT), several.astype(TEXT)])
    return joined


def with_results(calls: pd.DataFrame, results: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The calls with what became of their answers, by ordinal; an answer without a result was not in the store."""
    is_answered = calls["state"].isin(_ANSWERED)
    found = pd.concat([calls.loc[[], _RESULT], *results]).reindex(calls.index[is_answered])
    lost = {
        "state": State.FAILED.value,
        "fault_class": FaultClass.DAMAGED.value,
        "fault_text": "the landing store does not hold the answer",
        "quality": READABLE,
    }
    is_lost = found["state"].isna()
    found = found.assign(**{name: found[name].mask(is_lost, text) for name, text in lost.items()})
    answered = calls[is_answered].drop(columns=_RESULT).join(found)
    return pd.concat([calls[~is_answered], answered[calls.columns]]).sort_index()


def with_quality(calls: pd.DataFrame, violations: pd.DataFrame) -> pd.DataFrame:
    """The calls, with checks that a session did not pass named in `quality` of its answered ones.

    Args:
        violations: `check`, by label.
    """
    checks = _joined(violations["check"], ",").reindex(calls["session"]).set_axis(calls.index)
    checks = checks.where(calls["state"] == State.OK.value)
    both = (calls["quality"] + "," + checks).fillna(calls["quality"]).fillna(checks)
    return calls.assign(quality=both)


def sessions_of(whoami: Iterable[WhoAmI], named: Mapping[str, tuple[int, ...]]) -> pd.DataFrame:
    """What WhoAmI said: the columns of `sessions` but for `run_id`.

    Args:
        named: by label, the network, mailbox and ECGridID that it asks for, in place of the credential's own.
    """
    every = list(whoami)
    ids = [named.get(each.session) or (each.network_id, each.mailbox_id) for each in every]
    return pd.DataFrame(
        {
            "session": column([each.session for each in every], TEXT),
            "network_id": column([each[0] for each in ids], INTEGER),
            "mailbox_id": column([each[1] for each in ids], INTEGER),
            "user_id": column([each.user_id for each in every], INTEGER),
            "timeout_seconds": column([each.timeout_seconds for each in every], INTEGER),
            "open_sessions": column([each.open_sessions for each in every], INTEGER),
            "asked_at": column([each.asked_at_us for each in every], TIME),
            "fault_class": column(
                [each.fault_class and each.fault_class.value for each in every], TEXT
            ),
            "fault_text": column([each.fault_text for each in every], TEXT),
        }
    )


def known_of(sessions: pd.DataFrame, named: Mapping[str, tuple[int, ...]]) -> pd.DataFrame:
    """By label: `network_id, mailbox_id`, and `other_label`, another label that has the same mailbox; null if none.

    Args:
        named: by label, the ids that it asks for: they are known, whatever WhoAmI said.
    """
    asked = pd.DataFrame(
        {
            "session": column(named, TEXT),
            "network_id": column([each[0] for each in named.values()], INTEGER),
            "mailbox_id": column([each[1] for each in named.values()], INTEGER),
        }
    )
    told = sessions[~sessions["session"].isin(asked["session"])]
    known = pd.concat([told[asked.columns], asked], ignore_index=True)
    # an ECGridID is a part of a mailbox
    ecgrid_id = [(named.get(label) or (0, 0, 0))[2] for label in known["session"]]
    of_mailbox = known.assign(ecgrid_id=ecgrid_id).groupby(
        ["network_id", "mailbox_id", "ecgrid_id"]
    )["session"]
    first, last = of_mailbox.transform("first"), of_mailbox.transform("last")
    other = first.where(first != known["session"], last)
    known = known.assign(other_label=other.where(other != known["session"]).astype(TEXT))
    return known.set_index("session")[["network_id", "mailbox_id", "other_label"]]
