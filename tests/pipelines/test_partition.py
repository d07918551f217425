"""Paths of the lake, there and back."""

from datetime import date
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import TABLES
from pipelines.lake import PartitionFile, PartitionKey

DAY = date(2026, 1, 31)
KEYS = st.builds(PartitionKey, st.sampled_from(list(TABLES)), st.dates())
RUN_IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}", fullmatch=True)
DIGEST = "0123456789abcdef"
FILES = st.builds(
    PartitionFile,
    KEYS,
    RUN_IDS,
    st.integers(0, 999_999_999),
    st.text("0123456789abcdef", min_size=16, max_size=16),
)


def test_the_path_is_the_promised_one() -> None:
    """Users and other programs rely on this layout."""
    file = PartitionFile(PartitionKey("instant_stats", DAY), "20260131T020000Z-1f2e3d", 0, DIGEST)
    folder = "instant_stats/run_date=2026-01-31"
    assert file.key.to_path() == PurePosixPath(folder)
    assert file.to_path() == PurePosixPath(f"{folder}/20260131T020000Z-1f2e3d-0-{DIGEST}.parquet")


@given(KEYS)
def test_a_key_survives_its_path(key: PartitionKey) -> None:
    """Parsing a printed key gives the key."""
    assert PartitionKey.parse(key.to_path()) == key
    assert PartitionKey.parse(str(key.to_path())) == key


@given(FILES)
def test_a_file_survives_its_path(file: PartitionFile) -> None:
    """Parsing a printed file gives the file, hyphens and digits in the run id included."""
    assert PartitionFile.parse(file.to_path()) == file


@given(st.text(alphabet="instat_=rud-2603/. \0é", max_size=40))
def test_any_other_path_is_refused_or_printed_alike(text: str) -> None:
    """What parses prints as it was; everything else is a ValueError."""
    try:
        key = PartitionKey.parse(text)
    except ValueError:
        return
    assert key.to_path() == PurePosixPath(text)


@pytest.mark.parametrize(
    "path",
    [
        "instant_stats",
        "instant_stats/2026-01-31",
        "instant_stats/run_date=2026-1-31",
        "instant_stats/run_date=20260131",
        "instant_stats/run_date=2026-02-30",
        "instant_stats/run_date=__HIVE_DEFAULT_PARTITION__",
        "instant_stats/bucket_date=2026-01-31",
        "parcels/run_date=2026-01-31",
        "/instant_stats/run_date=2026-01-31",
        "instant_stats/../raw/run_date=2026-01-31",
    ],
)
def test_a_folder_of_another_shape_is_no_partition(path: str) -> None:
    """The message names the path."""
    with pytest.raises(ValueError, match="partition") as refused:
        PartitionKey.parse(path)
    assert path in str(refused.value)


@pytest.mark.parametrize("run_id", ["", ".hidden", "_x", "a/b", "a b", "a" * 101, "a\n"])
def test_a_run_id_that_cannot_be_a_file_name_is_refused(run_id: str) -> None:
    """Nothing outside the partition's folder can be named, and no hidden file."""
    with pytest.raises(ValueError, match="run id"):
        PartitionFile(PartitionKey("raw", DAY), run_id, 0, DIGEST)


@pytest.mark.parametrize(
    "name",
    [
        f"a-01-{DIGEST}.parquet",
        f"a-{DIGEST}.parquet",
        f"a-0-{DIGEST}.pq",
        f".a-0-{DIGEST}.parquet",
        "a-0.parquet",
        "a-0-0123456789ABCDEF.parquet",
        "a-0-0123.parquet",
    ],
)
def test_a_file_of_another_name_is_not_ours(name: str) -> None:
    """Publishing never touches such a file."""
    with pytest.raises(ValueError, match=r"file|run id"):
        PartitionFile.parse(f"raw/run_date=2026-01-31/{name}")
