"""The published tables on disk: partition names, atomic publication, manifests. Knows nothing of replies."""

from pipelines.lake.catalog import TableFile
from pipelines.lake.compaction import Compacted
from pipelines.lake.draft import DEFAULT_SIZES, Sizes
from pipelines.lake.lake import Lake
from pipelines.lake.layout import coded_columns
from pipelines.lake.manifest import LAKE_VERSION, Manifest, PublishedFile
from pipelines.lake.partition import PartitionFile, PartitionKey, day_of_run
from pipelines.lake.publication import Publication
from pipelines.lake.retention import Pruned
from pipelines.lake.snapshot import Snapshot, snapshot
from pipelines.lake.storage import S3Options, open_storage

__all__ = [
    "DEFAULT_SIZES",
    "LAKE_VERSION",
    "Compacted",
    "Lake",
    "Manifest",
    "PartitionFile",
    "PartitionKey",
    "Pruned",
    "Publication",
    "PublishedFile",
    "S3Options",
    "Sizes",
    "Snapshot",
    "TableFile",
    "coded_columns",
    "day_of_run",
    "open_storage",
    "snapshot",
]
