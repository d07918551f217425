"""The published tables for those who only read: `open_lake`, one run as it was published; SQL is in `read.sql`."""

from pipelines.read.open_lake import TRIES, Filters, OpenLake, Part, open_lake
from pipelines.read.snapshots import Snapshot, snapshot

__all__ = ["TRIES", "Filters", "OpenLake", "Part", "Snapshot", "open_lake", "snapshot"]
