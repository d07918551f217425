"""A night needs no pandas: it is imported where somebody asks for a frame, and only there."""

import subprocess
import sys
from pathlib import Path

from tests.pipelines.night import Night, answer, counts

NIGHT = """
import sys
from pathlib import Path
from pipelines.without_pandas import import_arrow
import_arrow()
from collector.landing import LandedRun
from pipelines.lake import Lake
from pipelines.normalize import normalize
with LandedRun.open(Path(sys.argv[1])) as landed:
    assert normalize(landed, Lake(Path(sys.argv[2]))).rows == 8
assert "pandas" not in sys.modules, "imported"
import pyarrow.parquet as pq
table = pq.read_table(Path(sys.argv[2]) / "instant_stats")
assert len(table.to_pandas()) == 8
import pandas as pd
assert str(table.to_pandas(types_mapper=pd.ArrowDtype)["count"].dtype) == "int64[pyarrow]"
"""


def test_publishing_imports_no_pandas(tmp_path: Path) -> None:
    """In a process of its own; a frame is to be had afterwards all the same."""
    night = Night()
    night.answered(answer(counts()))
    with night.land(tmp_path / "landing") as landed:
        path = landed.path
    words = [sys.executable, "-c", NIGHT, str(path), str(tmp_path / "lake")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
