"""Rows to publish in the tests of the lake, and where things are in one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from pipelines.contract import INSTANT_STATS, arrow_schema
from pipelines.lake import Lake, PublishedFile
from pipelines.lake.changing import Change, commit
from pipelines.lake.state import STATE, read_state

__all__ = ["file_of", "forget", "manifest_of", "stats", "with_manifest"]


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


def file_of(lake: Path, run_id: str, number: int = 0, table: str = "instant_stats") -> Path:
    """The one file that a run wrote into a table under this number."""
    (path,) = (lake / table).glob(f"*/{run_id}-{number}-*.parquet")
    return path


def manifest_of(lake: Path, run_id: str) -> Path:
    """The live manifest of a run, where no other is left."""
    (path,) = (lake / "_manifest").glob(f"{run_id}-{'?' * 32}.json")
    return path


def forget(lake: Lake, run_id: str) -> None:
    """From now on the lake does not know the run, though its files are there."""
    state = read_state(lake.storage)
    runs = {each: entry for each, entry in state.runs.items() if each != run_id}
    lake.storage.put(STATE, replace(state, runs=runs).to_json())


def with_manifest(
    lake: Lake, run_id: str, changed: Callable[[PublishedFile], PublishedFile]
) -> None:
    """Publish another manifest of a run, which says something else of each file of `instant_stats`."""
    manifest = lake.manifest(run_id)
    assert manifest
    files = [changed(each) if each.table == "instant_stats" else each for each in manifest.files]
    commit(lake.storage, Change(manifests={run_id: replace(manifest, files=tuple(files))}))
