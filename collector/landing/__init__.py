"""The durable store of a run: its plan, every reply as received, and how each call ended.

One SQLite file per run, `<root>/landing/<run_id>.db`. While a run is on it is in WAL mode with an fsync for every
commit; a closed store is one plain file. Knows nothing of what a reply says.
"""

from collector.landing.columns import CallColumns, ReplyColumns
from collector.landing.places import damaged_stores, landed_runs, set_aside, sweep
from collector.landing.reader import LandedRun
from collector.landing.salvage import Salvage, salvage
from collector.landing.writer import Landing

__all__ = [
    "CallColumns",
    "LandedRun",
    "Landing",
    "ReplyColumns",
    "Salvage",
    "damaged_stores",
    "landed_runs",
    "salvage",
    "set_aside",
    "sweep",
]
