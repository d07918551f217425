"""The published tables on disk: partition names, atomic publication, manifests. Knows nothing of replies."""

from pipelines.lake.draft import DEFAULT_SIZES, Sizes
from pipelines.lake.manifest import LAKE_VERSION, Manifest, PublishedFile
from pipelines.lake.partition import PartitionFile, PartitionKey
from pipelines.lake.publication import Lake, Publication

__all__ = [
    "DEFAULT_SIZES",
    "LAKE_VERSION",
    "Lake",
    "Manifest",
    "PartitionFile",
    "PartitionKey",
    "Publication",
    "PublishedFile",
    "Sizes",
]
