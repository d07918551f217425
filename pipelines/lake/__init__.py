"""The published tables: partitions, atomic changes, manifests, on disk or object storage. Knows nothing of replies."""

from pipelines.lake.addresses import S3Options, open_filesystem
from pipelines.lake.compaction import Compacted
from pipelines.lake.derived import Days, DerivedPublication
from pipelines.lake.draft import DEFAULT_SIZES, Sizes
from pipelines.lake.lake import Lake
from pipelines.lake.layout import coded_columns
from pipelines.lake.manifest import Manifest, PublishedFile
from pipelines.lake.partition import COMPACTED, DERIVED, PartitionFile, PartitionKey, day_of_run
from pipelines.lake.publication import Publication
from pipelines.lake.retention import Pruned
from pipelines.lake.state import LAKE_VERSION, Entry, Published, TableFile
from pipelines.lake.verified_files import is_whole, open_verified, publish_again

__all__ = [
    "COMPACTED",
    "DEFAULT_SIZES",
    "DERIVED",
    "LAKE_VERSION",
    "Compacted",
    "Days",
    "DerivedPublication",
    "Entry",
    "Lake",
    "Manifest",
    "PartitionFile",
    "PartitionKey",
    "Pruned",
    "Publication",
    "Published",
    "PublishedFile",
    "S3Options",
    "Sizes",
    "TableFile",
    "coded_columns",
    "day_of_run",
    "is_whole",
    "open_filesystem",
    "open_verified",
    "publish_again",
]
