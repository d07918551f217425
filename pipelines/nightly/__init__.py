"""The night: collect, normalize, publish, load. Decides the order and the exit code; the work is done elsewhere."""

from pipelines.nightly.collecting import DEADLINE, until_stopped
from pipelines.nightly.night import Night
from pipelines.nightly.publishing import lake_of, load_published, normalize_landed
from pipelines.nightly.sequence import collect_only, run_night

__all__ = [
    "DEADLINE",
    "Night",
    "collect_only",
    "lake_of",
    "load_published",
    "normalize_landed",
    "run_night",
    "until_stopped",
]
