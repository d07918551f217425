"""Publishing into the lake: all or nothing, and only what is one's own."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.contract import INSTANT_STATS, TABLES, arrow_schema
from pipelines.errors import LakeVersionError, PublicationError
from pipelines.lake import DEFAULT_SIZES, Lake, Manifest, Sizes
from pipelines.lake.storage import named_errors
from tests.pipelines.lake_rows import stats

DAY = date(2026, 1, 31)
PARTITION = "run_date=2026-01-31"
SMALL = Sizes(group_rows=2, file_rows=4)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake that does not exist yet."""
    return Lake(tmp_path / "data" / "lake")


def publish(
    lake: Lake, *tables: pa.Table, run_id: str = "run-a", sizes: Sizes = DEFAULT_SIZES
) -> Manifest:
    """Publish these rows of `instant_stats`."""
    with lake.publication(run_id, DAY, sizes) as publication:
        for rows in tables:
            publication.append(INSTANT_STATS.name, rows)
        return publication.commit({"planned": 1})


def begin_and_fail(lake: Lake, run_id: str) -> None:
    """Write drafts and leave the publication by an error."""
    with contextlib.suppress(KeyError), lake.publication(run_id, DAY, SMALL) as publication:
        publication.append("instant_stats", stats(2, *"abcdef"))
        assert len(list(lake.folder.rglob(".*.draft"))) == 2
        raise KeyError


def contents(lake: Lake) -> dict[str, bytes]:
    """Every file of the lake, hidden ones too."""
    return {
        str(path.relative_to(lake.folder)): path.read_bytes()
        for path in lake.folder.rglob("*")
        if path.is_file()
    }


def published(lake: Lake) -> pa.Table:
    """What a reader of `instant_stats` sees."""
    return pq.read_table(lake.folder / INSTANT_STATS.name)


def test_a_publication_has_one_file_per_table_and_a_manifest(lake: Lake) -> None:
    """Tables without rows get their file too, so that readers find columns and types."""
    publish(lake, stats(7, "acme", "beta"))
    files = {f"{each.name}/{each.partition}={DAY}/run-a-0.parquet" for each in TABLES.values()}
    assert set(contents(lake)) == {*files, "_manifest/run-a.json", "_manifest/version"}
    for table in TABLES.values():
        schema = pq.read_schema(next((lake.folder / table.name).rglob("*.parquet")))
        assert schema.equals(arrow_schema(table), check_metadata=True)


def test_the_manifest_is_true(lake: Lake) -> None:
    """Rows, sizes and digests are those of the files; the counts are those given."""
    manifest = publish(lake, stats(7, "acme", "beta"))
    assert lake.manifest("run-a") == manifest
    assert lake.run_ids() == ["run-a"]
    assert manifest.counts == {"planned": 1}
    assert manifest.rows("instant_stats") == 2
    for file in manifest.files:
        content = (lake.folder / file.path).read_bytes()
        assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert file.path.startswith(f"{file.table}/{file.partition}/")
        assert file.rows == pq.read_metadata(lake.folder / file.path).num_rows
        assert file.schema_version == TABLES[file.table].version


def test_nobody_else_can_read_it(lake: Lake) -> None:
    """Folders are 0700 and files 0600, whatever the umask allows."""
    before = os.umask(0)
    try:
        publish(lake, stats(7, "acme"))
    finally:
        os.umask(before)
    for path in (lake.folder, *lake.folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_rows_are_zstd_sorted_and_indexed(lake: Lake) -> None:
    """Files are made for the usual filters, session and window."""
    publish(lake, stats(1, "beta", "acme", "beta"), stats(2, "acme"))
    path = lake.folder / "instant_stats" / PARTITION / "run-a-0.parquet"
    rows = pq.ParquetFile(path).read()
    assert rows["session"].to_pylist() == ["acme", "acme", "beta", "beta"]
    assert rows["count"].to_pylist() == [1, 2, 1, 1]  # equal ones keep their order
    column = pq.read_metadata(path).row_group(0).column(2)
    assert (column.compression, column.has_column_index) == ("ZSTD", True)
    assert column.statistics is not None
    assert column.statistics.min == "acme"


def test_row_groups_and_files_are_cut_at_their_sizes(lake: Lake) -> None:
    """Nine rows, two to a group and four to a file, however they come in."""
    manifest = publish(lake, stats(1, *"abc"), stats(1, *"defghi"), sizes=SMALL)
    files = [file for file in manifest.files if file.table == "instant_stats"]
    assert [(file.path[-9:], file.rows) for file in files] == [
        ("0.parquet", 4),
        ("1.parquet", 4),
        ("2.parquet", 1),
    ]
    groups = pq.read_metadata(lake.folder / files[0].path)
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [2, 2]
    assert published(lake)["session"].to_pylist() == list("abcdefghi")


def test_large_rows_make_small_groups(lake: Lake) -> None:
    """What waits in memory is bounded in bytes as well."""
    sizes = Sizes(group_bytes=1)
    manifest = publish(lake, stats(1, "a"), stats(1, "b"), stats(1, "c"), sizes=sizes)
    path = lake.folder / manifest.files[0].path
    assert pq.read_metadata(path).num_row_groups == 3


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    """There is no clock and no chance in a file."""
    lakes = [Lake(tmp_path / name) for name in ("one", "two")]
    for lake in lakes:
        publish(lake, stats(7, "acme", "beta"), sizes=SMALL)
    assert contents(lakes[0]) == contents(lakes[1])


def test_publishing_again_replaces_the_runs_own_files_only(lake: Lake) -> None:
    """Fewer files than before leave no old one; other runs and strangers' files stay."""
    publish(lake, stats(1, *"abcdefghi"), sizes=SMALL)
    publish(lake, stats(2, "x", run_id="run-a-1"), run_id="run-a-1")
    stranger = lake.folder / "instant_stats" / PARTITION / "notes.parquet"
    stranger.write_bytes(b"mine")
    others = {path: data for path, data in contents(lake).items() if "run-a-1-" in path}
    publish(lake, stats(3, "a"))
    after = contents(lake)
    assert {path: after[path] for path in others} == others
    assert stranger.read_bytes() == b"mine"
    stranger.unlink()
    assert set(published(lake)["count"].to_pylist()) == {2, 3}


def test_leaving_without_commit_leaves_no_trace(lake: Lake) -> None:
    """An error on the way changes nothing that was published."""
    publish(lake, stats(1, "a"))
    before = contents(lake)
    begin_and_fail(lake, "run-b")
    assert contents(lake) == before


def test_a_first_publication_that_fails_leaves_no_empty_table(lake: Lake) -> None:
    """A folder without files cannot be read by pandas."""
    begin_and_fail(lake, "run-a")
    assert not list(lake.folder.glob("instant_stats/*"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [(OSError(errno.EIO, "x"), PublicationError), (KeyboardInterrupt(), KeyboardInterrupt)],
    ids=["error", "interrupt"],
)
@pytest.mark.parametrize("failing", range(1, 7))
def test_a_rename_that_fails_gives_the_earlier_ones_back(
    lake: Lake,
    failing: int,
    error: BaseException,
    expected: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever of the six renames fails, the run's old files are all there, and no new one."""
    publish(lake, stats(1, "a"))
    before = contents(lake)
    real, renames = Path.replace, iter(range(1, 100))

    def replace(path: Path, target: Path) -> Path:
        if path.name.endswith(".draft") and next(renames) == failing:
            raise error
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(expected):
        publish(lake, stats(2, "b"))
    assert contents(lake) == before


def test_a_file_system_without_hard_links_will_do(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old files are copied aside instead."""
    publish(lake, stats(1, "a"))

    def link(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", link)
    publish(lake, stats(2, "b"))
    assert published(lake)["count"].to_pylist() == [2]
    assert not [path for path in contents(lake) if "aside" in path]


def test_leftovers_of_a_killed_publication_go_with_the_next_of_that_run(lake: Lake) -> None:
    """Those of other runs stay: they may be at work."""
    publish(lake, stats(1, "a"))
    folder = lake.folder / "calls" / PARTITION
    ours = [".run-a-0.parquet.draft", ".run-a-7.parquet.draft", ".run-a-0.parquet.aside"]
    theirs = [".run-b-0.parquet.draft", ".run-a-b-0.parquet.aside", ".run-a"]
    for name in (*ours, *theirs):
        (folder / name).write_bytes(b"half")
    manifests = lake.folder / "_manifest"
    (manifests / ".run-a.json.draft").write_bytes(b"half")
    publish(lake, stats(2, "a"))
    assert sorted(path.name for path in folder.iterdir()) == sorted(["run-a-0.parquet", *theirs])
    assert sorted(path.name for path in manifests.iterdir()) == ["run-a.json", "version"]


def test_a_file_that_does_not_read_back_is_not_published(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The footer of every draft is read before the first rename."""
    publish(lake, stats(1, "a"))
    before = contents(lake)
    real = os.fsync

    def lose_the_end(handle: int) -> None:
        real(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path.name == ".run-a-0.parquet.draft" and path.parts[-3] == "raw":
            os.truncate(path, path.stat().st_size - 20)

    monkeypatch.setattr(os, "fsync", lose_the_end)
    with pytest.raises(PublicationError, match="does not read back"):
        publish(lake, stats(2, "a"))
    assert contents(lake) == before


def test_a_file_that_lost_a_row_is_not_published(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The footer's rows are those that were handed in."""
    real = pq.ParquetWriter.write_table

    def lose_one(writer: pq.ParquetWriter, rows: pa.Table, row_group_size: int) -> None:
        real(writer, rows.slice(1), row_group_size)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", lose_one)
    with pytest.raises(
        PublicationError, match=r"reads back as 1 rows .* not as the 2 rows written"
    ):
        publish(lake, stats(1, "a", "b"))
    assert lake.run_ids() == []


def test_rows_of_another_schema_are_a_mistake_of_the_caller(lake: Lake) -> None:
    """Nothing is cast on the way into a file."""
    rows = stats(1, "a").drop_columns(["count"])
    with pytest.raises(TypeError, match="instant_stats"):
        publish(lake, rows)


def test_a_newer_lake_is_refused(lake: Lake) -> None:
    """This program cannot know what another version promises its readers."""
    publish(lake, stats(1, "a"))
    (lake.folder / "_manifest" / "version").write_text("2\n")
    before = contents(lake)
    with pytest.raises(LakeVersionError, match=r"version 2, this program writes version 1"):
        publish(lake, stats(2, "a"))
    assert contents(lake) == before


@pytest.mark.parametrize("text", ["", "one", "1.5", "-1"])
def test_an_unreadable_version_is_refused(lake: Lake, text: str) -> None:
    """The message names the file and what it should say."""
    publish(lake, stats(1, "a"))
    (lake.folder / "_manifest" / "version").write_text(text)
    with pytest.raises(PublicationError, match=r"_manifest/version says .*must be a number, as 1"):
        publish(lake, stats(2, "a"))


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff", b'{"run_id": 1, "run_date": 2}'])
def test_a_damaged_manifest_is_named_and_can_be_replaced(lake: Lake, text: bytes) -> None:
    """Publishing the run again is the way out."""
    manifest = publish(lake, stats(1, "a"))
    (lake.folder / "_manifest" / "run-a.json").write_bytes(text)
    with pytest.raises(PublicationError, match=r"run-a\.json: .*publish the run again"):
        lake.manifest("run-a")
    assert publish(lake, stats(1, "a")) == manifest == lake.manifest("run-a")


def test_a_file_that_is_no_manifest_of_a_run_is_no_run(lake: Lake) -> None:
    """A copy that no run can be named after is passed over; one that could be is named, and counts no row twice."""
    publish(lake, stats(1, "a"))
    folder = lake.folder / "_manifest"
    copy = folder / "run-a copy.json"
    copy.write_bytes((folder / "run-a.json").read_bytes())
    assert lake.run_ids() == ["run-a"]
    assert lake.wrong_files() == {}
    copy.rename(folder / "run-z.json")
    with pytest.raises(PublicationError, match=r"run-z.json is of run run-a: remove it"):
        lake.manifest("run-z")


def test_a_run_that_published_nothing_has_no_manifest(lake: Lake) -> None:
    """A lake that does not exist is empty."""
    assert lake.manifest("run-a") is None
    assert lake.run_ids() == []


def test_a_file_where_the_lake_should_be_is_an_error_that_says_so(tmp_path: Path) -> None:
    """The message names the path and what is right."""
    (tmp_path / "data").write_text("a file")
    with pytest.raises(PublicationError, match=r"data.*: .*storage\.root must be a folder"):
        publish(Lake(tmp_path / "data" / "lake"), stats(1, "a"))


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "free some space and publish the run again"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "can be written"),
        (errno.EACCES, "may write"),
        (errno.EIO, ""),
    ],
)
def test_errors_of_the_file_system_name_the_path_and_the_way_out(code: int, advice: str) -> None:
    """One sentence, without a traceback's help."""
    with pytest.raises(PublicationError) as refused, named_errors(Path("/data/lake")):
        raise OSError(code, os.strerror(code), "/data/lake/x")
    text = str(refused.value)
    assert text.startswith(f"cannot write /data/lake/x: {os.strerror(code)}")
    assert advice in text
    assert isinstance(refused.value.__cause__, OSError)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 64 KiB, which looks like a full disk half-way through a file."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_a_write_that_fails_half_way_changes_nothing(lake: Lake) -> None:
    """No draft stays, and what was published stays."""
    publish(lake, stats(1, "a"))
    before = contents(lake)
    sessions = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(10_000)]
    with pytest.raises(PublicationError, match="File too large"):
        publish(lake, stats(2, *sessions), sizes=Sizes(group_rows=500))
    assert contents(lake) == before
