"""The published tables: what they hold, how they may change, and how a frame becomes rows of one.

Its parts: `tables` declares them, `scopes` tells whose traffic a row counts, `views` sums one up by the hour and the
day, `casting` casts a frame to a table exactly or says why not, `evolution` is how a table may change, `tables_doc`
makes docs/tables.md of them.
"""

from pipelines.contract.tables import (
    CALLS,
    DATASET_EXTRAS,
    INSTANT_STATS,
    RAW,
    RUN_TABLES,
    SESSIONS,
    TABLES,
    TRAFFIC_BUCKETS,
    TRAFFIC_HISTORY,
    Column,
    Table,
    arrow_schema,
)
from pipelines.contract.views import VIEWS, View

__all__ = [
    "CALLS",
    "DATASET_EXTRAS",
    "INSTANT_STATS",
    "RAW",
    "RUN_TABLES",
    "SESSIONS",
    "TABLES",
    "TRAFFIC_BUCKETS",
    "TRAFFIC_HISTORY",
    "VIEWS",
    "Column",
    "Table",
    "View",
    "arrow_schema",
]
