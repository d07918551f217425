"""Rows to publish in the tests of the lake."""

import pyarrow as pa

from pipelines.contract import INSTANT_STATS, arrow_schema

__all__ = ["stats"]


def stats(count: int | None, *sessions: str, run_id: str = "run-a") -> pa.Table:
    """A row of `instant_stats` per session, each with this count."""
    return pa.Table.from_pylist(
        [
            {
                "run_id": run_id,
                "call_id": f"{number:016x}",
                "session": session,
                "window_minutes": 60,
                "traffic": "parcel",
                "direction": "in",
                "count": count,
                "window_slot": 1,
                "requested_at": 1_769_824_800_000_000,
                "raw_sha256": "0" * 64,
            }
            for number, session in enumerate(sessions)
        ],
        schema=arrow_schema(INSTANT_STATS),
    )
