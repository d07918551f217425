"""Publishing into the lake: all or nothing, and only what is one's own."""

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.contract import INSTANT_STATS, RUN_TABLES, TABLES, arrow_schema
from pipelines.errors import LakeVersionError, PublicationError
from pipelines.lake import DEFAULT_SIZES, Lake, Manifest, PartitionFile, Sizes
from pipelines.lake.storage import named_errors
from tests.pipelines.lake_rows import file_of, manifest_of, stats

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
        assert len(list(lake.folder.rglob("*.writing"))) == 2
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
    manifest = publish(lake, stats(7, "acme", "beta"))
    paths = {file.path for file in manifest.files}
    folders = {f"{each.name}/{each.partition}={DAY}" for each in RUN_TABLES.values()}
    assert {path.rpartition("/")[0] for path in paths} == folders
    assert all(re.fullmatch(r"run-a-0-[0-9a-f]{16}\.parquet", Path(path).name) for path in paths)
    others = {"_manifest/version", "_manifest/live.json", f"_manifest/run-a-{manifest.digest}.json"}
    assert set(contents(lake)) == {*paths, *others}
    for table in RUN_TABLES.values():
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
    path = file_of(lake.folder, "run-a")
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
    assert [(PartitionFile.parse(file.path).number, file.rows) for file in files] == [
        (0, 4),
        (1, 4),
        (2, 1),
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
    others = {path: data for path, data in contents(lake).items() if "run-a-1-0-" in path}
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


def test_a_file_system_without_hard_links_will_do(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New files are copied into their place instead."""
    publish(lake, stats(1, "a"))

    def link(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", link)
    publish(lake, stats(2, "b"))
    assert published(lake)["count"].to_pylist() == [2]
    assert len(contents(lake)) == len(RUN_TABLES) + 3
    assert file_of(lake.folder, "run-a").stat().st_mode & 0o777 == 0o600


def test_the_same_again_writes_nothing(lake: Lake) -> None:
    """Not even the state: what was published is what is to be published."""
    publish(lake, stats(1, "a"))
    before = {path: path.stat().st_mtime_ns for path in lake.folder.rglob("*")}
    publish(lake, stats(1, "a"))
    assert {path: path.stat().st_mtime_ns for path in lake.folder.rglob("*")} == before


@pytest.mark.parametrize("harm", ["unlink", "cut", "altered"])
def test_the_same_again_mends_what_is_damaged(lake: Lake, harm: str) -> None:
    """With the very bytes of before, in the same file."""
    publish(lake, stats(1, *"abcdef"))
    publish(lake, stats(1, "x", run_id="run-b"), run_id="run-b")
    before, path = contents(lake), file_of(lake.folder, "run-a")
    data = path.read_bytes()
    if harm == "unlink":
        path.unlink()
    else:
        path.write_bytes(data[:-9] if harm == "cut" else bytes([data[0] ^ 1]) + data[1:])
    publish(lake, stats(1, *"abcdef"))
    assert contents(lake) == before


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
        if path.name == "run-a-0.writing" and path.parts[-3] == "raw":
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


@pytest.mark.parametrize(
    ("version", "advice"), [(3, "use the newer program"), (1, "publish its runs again")]
)
def test_a_lake_of_another_version_is_refused(lake: Lake, version: int, advice: str) -> None:
    """This program cannot know what another version promises its readers."""
    publish(lake, stats(1, "a"))
    (lake.folder / "_manifest" / "version").write_text(f"{version}\n")
    before = contents(lake)
    with pytest.raises(
        LakeVersionError, match=f"version {version}, this program knows version 2: .*{advice}"
    ):
        publish(lake, stats(2, "a"))
    assert contents(lake) == before


@pytest.mark.parametrize("text", ["", "one", "1.5", "-1"])
def test_an_unreadable_version_is_refused(lake: Lake, text: str) -> None:
    """The message names the file and what it should say."""
    publish(lake, stats(1, "a"))
    (lake.folder / "_manifest" / "version").write_text(text)
    with pytest.raises(PublicationError, match=r"_manifest/version says .*must be a number, as 2"):
        publish(lake, stats(2, "a"))


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff", b'{"run_id": 1, "run_date": 2}'])
def test_a_damaged_manifest_is_named_and_can_be_replaced(lake: Lake, text: bytes) -> None:
    """Publishing the run again is the way out."""
    manifest = publish(lake, stats(1, "a"))
    before, path = contents(lake), manifest_of(lake.folder, "run-a")
    path.write_bytes(text)
    assert lake.wrong_files() == {"run-a": [f"_manifest/{path.name}"]}
    with pytest.raises(PublicationError, match=r"run-a-\w+\.json: .*publish the run again"):
        lake.manifest("run-a")
    assert publish(lake, stats(1, "a")) == manifest == lake.manifest("run-a")
    assert contents(lake) == before
    path.write_bytes(text)
    publish(lake, stats(2, "b"))  # other files than the damaged one named
    assert published(lake)["count"].to_pylist() == [2]
    assert len(contents(lake)) == len(before)


def test_a_manifest_that_is_not_live_is_no_run(lake: Lake) -> None:
    """A copy under another name counts no row twice."""
    publish(lake, stats(1, "a"))
    path = manifest_of(lake.folder, "run-a")
    for name in ("run-a copy.json", f"run-z-{'0' * 32}.json"):
        path.with_name(name).write_bytes(path.read_bytes())
    assert lake.run_ids() == ["run-a"]
    assert lake.wrong_files() == {}
    assert len(lake.files("instant_stats")) == 1


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
