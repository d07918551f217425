"""The patches of docs/extending.md, applied to a copy of the program, with answers for which a wrong one would show."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.domain.outcomes import State
from tests.architecture.documents import fenced
from tests.architecture.sources import PACKAGES, ROOT
from tests.pipelines.night import COLUMNS, NULL_ANSWER, Night, answer, counts

NORMALIZE = """
import json, sys
from pathlib import Path
from collector.config import Quality
from collector.landing import LandedRun
from pipelines.lake import Lake
from pipelines.normalize import normalize
from pipelines.read import open_lake
checks = {name: level for name, level in Quality().model_dump().items() if isinstance(level, str)}
with LandedRun.open(Path(sys.argv[1])) as landed:
    done = normalize(landed, Lake(Path(sys.argv[2])), checks)
tables = {}
for name in ("instant_stats", "window_totals", "calls"):
    rows = open_lake(sys.argv[2]).table(name)
    tables[name] = rows.drop_columns([n for n in rows.column_names if n.endswith("_at")]).to_pylist()
print(json.dumps({"violations": done.violations, **tables}, default=str))
"""
LARGE = dict(zip(COLUMNS, [60_000_001, 2, 3, 4, 120_000_000, 6, 7, 8], strict=True))


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of both packages with all patches."""
    copy = tmp_path_factory.mktemp("extended")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    patches = fenced(ROOT / "docs/extending.md", "diff")
    assert len(patches) == 3
    for patch in patches:
        words = ["git", "apply", "-"]
        subprocess.run(words, cwd=copy, input=patch, text=True, check=True, timeout=30)
    yield copy
    shutil.rmtree(copy)


def normalized(extended: Path, night: Night, folder: Path) -> dict[str, Any]:
    """What the copy makes of a night."""
    with night.land(folder / "landing") as landed:
        path = landed.path
    words = [sys.executable, "-c", NORMALIZE, str(path), str(folder / "lake")]
    done = subprocess.run(
        words, cwd=extended, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_patches_do_what_the_page_says(extended: Path, tmp_path: Path) -> None:
    """Derived values, a check that quarantines, totals; nulls, empty answers and large counts among them."""
    night = Night()
    night.answered(answer(counts(6, 30)), "acme", 60, 120)
    nulls = {name: value for name, value in counts(6, 30).items() if name != "ParcelsOut2"}
    night.answered(answer(nulls), "beta", 90, 1440)
    night.answered(answer(LARGE), "crowded", 60, 120)
    night.answered(answer({**LARGE, "ParcelsIn1": 1, "ParcelsIn2": 120_000_001}), "over", 60, 120)
    night.answered(NULL_ANSWER, "none", 60, 120, state=State.EMPTY)
    found = normalized(extended, night, tmp_path)

    rates = {
        (row["session"], row["traffic"], row["direction"], row["window_slot"]): row["per_hour"]
        for row in found["instant_stats"]
    }
    assert len(rates) == 3 * 8
    assert rates["acme", "parcel", "in", 1] == 6.0
    assert rates["acme", "parcel", "in", 2] == 15.0
    assert rates["beta", "parcel", "out", 1] == pytest.approx(7 * 60 / 90)
    assert rates["beta", "parcel", "out", 2] is None
    assert rates["beta", "interchange", "out", 2] == pytest.approx(33 * 60 / 1440)

    states = {row["session"]: (row["state"], row["quality"]) for row in found["calls"]}
    assert states["crowded"] == ("ok", None)
    assert states["over"] == ("failed", "plausible_counts")
    assert states["none"] == ("empty", None)
    assert found["violations"] == {"no_null_counts": 1, "plausible_counts": 1}

    totals = {(row["session"], row["traffic"]): row["total"] for row in found["window_totals"]}
    assert totals == {
        ("acme", "parcel"): 61,
        ("acme", "interchange"): 65,
        ("beta", "parcel"): None,
        ("beta", "interchange"): 65,
        ("crowded", "parcel"): 120_000_006,
        ("crowded", "interchange"): 15,
    }
