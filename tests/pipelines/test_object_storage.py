"""A lake on a store without rename, over real HTTP: what readers see who go through the manifests, and what is left."""

import contextlib
import hashlib
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipelines.contract import RUN_TABLES
from pipelines.errors import LakeVersionError, PublicationError, StorageError
from pipelines.lake import Lake, Manifest
from tests.pipelines.lake_rows import stats
from tests.pipelines.object_store import BUCKET, KEY, WORD, ObjectStore, object_store
from tests.pipelines.publish_forever import DAY, SIZES, rows

pytest.importorskip("moto")
PARTITION = "instant_stats/run_date=2026-01-31"


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """A store for all tests here; each has a prefix of its own."""
    with object_store() as running:
        yield running


@pytest.fixture
def lake(store: ObjectStore, request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """An empty lake in the store."""
    return store.lake(tmp_path / "drafts", hashlib.sha256(request.node.name.encode()).hexdigest())


def publish(lake: Lake, some: pa.Table, run_id: str = "run-a") -> Manifest:
    """Publish these rows of `instant_stats`."""
    with lake.publication(run_id, DAY, SIZES) as publication:
        publication.append("instant_stats", some)
        return publication.commit({"planned": 1})


def seen(lake: Lake) -> pa.Table:
    """What a reader sees who goes through the manifests; once more if a file went away meanwhile."""
    for _ in range(50):
        with contextlib.suppress(FileNotFoundError):
            tables = []
            for file in lake.files("instant_stats"):
                path = f"{lake.storage.base}/{file.path}"
                found = pq.read_table(path, filesystem=lake.storage.filesystem, partitioning=None)
                if file.only is not None:
                    found = found.filter(pc.is_in(found["run_id"], pa.array(file.only)))
                assert found.num_rows == file.rows
                tables.append(found)
            return pa.concat_tables(tables)
    raise AssertionError("files went away fifty times")


def names(lake: Lake) -> set[str]:
    """Every object of the lake."""
    return set(lake.storage.sizes(""))


OF_THE_LAKE = ("_manifest/version", "_manifest/live.json")


def paths_of(manifest: Manifest) -> set[str]:
    """A manifest and the files that it names."""
    return {
        f"_manifest/{manifest.run_id}-{manifest.digest}.json",
        *(file.path for file in manifest.files),
    }


def test_a_publication_is_what_it_is_in_a_folder(lake: Lake, tmp_path: Path) -> None:
    """The same names, bytes and manifest; nothing stays in the folder of drafts."""
    local = Lake(tmp_path / "local")
    assert publish(lake, rows(1)) == publish(local, rows(1))
    for name in names(lake):
        assert lake.storage.read(name) == (local.folder / name).read_bytes()
    assert names(lake) == {
        path.relative_to(local.folder).as_posix()
        for path in local.folder.rglob("*")
        if path.is_file()
    }
    assert [path for path in (tmp_path / "drafts").rglob("*") if path.is_file()] == []
    assert lake.run_ids() == ["run-a"]
    assert seen(lake).num_rows == 300


def test_the_same_rows_again_send_no_file_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their bytes are there under the names that the manifest has."""
    first = publish(lake, rows(1))
    before = lake.storage.sizes("")
    monkeypatch.setattr(type(lake.storage), "upload", lambda *_: pytest.fail("sent again"))
    assert publish(lake, rows(1)) == first
    assert lake.storage.sizes("") == before


def test_no_object_is_written_over_while_a_manifest_names_it(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other rows get other names, and names are not used a second time."""
    told: list[set[str]] = []
    real = type(lake.storage).upload

    def upload(storage: object, path: str) -> None:
        manifest = lake.manifest("run-a")
        told.append({file.path for file in manifest.files} if manifest else set())
        assert path not in told[-1]
        real(storage, path)

    monkeypatch.setattr(type(lake.storage), "upload", upload)
    used: list[str] = []
    for count in range(4):
        manifest = publish(lake, rows(count))
        used += [file.path for file in manifest.files if file.table == "instant_stats"]
        assert names(lake) == {*OF_THE_LAKE, *paths_of(manifest)}
    assert len(set(used)) == len(used) == 12
    assert told
    assert seen(lake)["count"].unique().to_pylist() == [3]


def test_runs_do_not_touch_each_other(lake: Lake) -> None:
    """Not even those whose ids begin alike."""
    publish(lake, rows(1))
    publish(lake, stats(2, "x", run_id="run-a-1"), "run-a-1")
    publish(lake, stats(3, "y"))
    assert sorted(seen(lake)["count"].to_pylist()) == [2, 3]


@pytest.mark.extended
def test_readers_of_manifests_see_whole_publications_while_they_are_killed(
    store: ObjectStore, tmp_path: Path
) -> None:
    """Killed at six moments: all rows of one publication, once each, and the next one clears what was left."""
    lake, chance, first = store.lake(tmp_path / "drafts"), random.Random(7), 1
    for _ in range(6):
        program = [
            sys.executable,
            "-m",
            "tests.pipelines.publish_forever",
            str(tmp_path / "drafts"),
        ]
        arguments = [str(first), str(store.port)]
        with subprocess.Popen(program + arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            done = int(process.stdout.readline())
            found = seen(lake)
            assert found.num_rows == len(found["session"].unique()) == 300
            assert len(found["count"].unique()) == 1
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0, 0.2))
            process.kill()
            rest = process.stdout.read().split()
        done = int(rest[-1]) if rest else done
        (count,) = seen(lake)["count"].unique().to_pylist()
        assert count in {done, done + 1}
        first = done + 2
    manifest = publish(lake, rows(0))
    assert seen(lake)["count"].unique().to_pylist() == [0]
    assert set(store.objects()) == {*OF_THE_LAKE, *paths_of(manifest)}
    assert [path for path in (tmp_path / "drafts").rglob("*") if path.is_file()] == []


def test_a_run_published_again_leaves_a_compacted_file(lake: Lake) -> None:
    """The others' rows are in a new object, and the old one is gone."""
    publish(lake, stats(1, "a", "b"), "run-a")
    for run_id in ("run-b", "run-c"):
        publish(lake, stats(2, "x", "y", run_id=run_id), run_id)
    lake.compact()
    (shared,) = {file.path for file in lake.files("instant_stats")}
    publish(lake, stats(3, "a", "b"), "run-a")
    assert lake.damage("instant_stats") is None
    assert sorted(seen(lake)["count"].to_pylist()) == [2, 2, 2, 2, 3, 3]
    assert shared not in names(lake)


def test_a_failing_upload_changes_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent so far is taken back."""
    publish(lake, rows(1))
    before = lake.storage.sizes("")
    real, calls = type(lake.storage).upload, iter(range(100))

    def upload(storage: object, path: str) -> None:
        real(storage, path)
        if next(calls) == 2:
            raise OSError("AWS Error NETWORK_CONNECTION")

    monkeypatch.setattr(type(lake.storage), "upload", upload)
    with pytest.raises(StorageError, match="does not answer"):
        publish(lake, rows(2))
    assert lake.storage.sizes("") == before
    assert seen(lake)["count"].unique().to_pylist() == [1]


def test_an_object_that_arrives_short_is_not_published(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size there is compared with the file's."""
    monkeypatch.setattr("shutil.copyfileobj", lambda *_: None)
    with pytest.raises(StorageError, match=r"has 0 bytes there, not the \d+ sent"):
        publish(lake, rows(1))
    assert names(lake) == {*OF_THE_LAKE}
    assert lake.run_ids() == []


def test_a_newer_lake_is_refused_there_too(lake: Lake) -> None:
    """As in a folder."""
    publish(lake, rows(1))
    lake.storage.put("_manifest/version", b"3\n")
    with pytest.raises(LakeVersionError, match=f"s3://{BUCKET}.* has version 3"):
        publish(lake, rows(2))


def test_a_damaged_manifest_is_replaced_by_publishing_again(lake: Lake) -> None:
    """And leaves no file that no manifest names."""
    manifest = publish(lake, rows(1))
    before = lake.storage.sizes("")
    lake.storage.put(f"_manifest/run-a-{manifest.digest}.json", b"{")
    with pytest.raises(PublicationError, match="publish the run again"):
        lake.manifest("run-a")
    assert publish(lake, rows(1)) == manifest == lake.manifest("run-a")
    assert lake.storage.sizes("") == before


@pytest.mark.parametrize("work", ["read", "write"])
def test_a_bucket_that_is_missing_is_named(store: ObjectStore, tmp_path: Path, work: str) -> None:
    """The error says which bucket, and what to do."""
    lake = Lake.at("s3://no-such-bucket/x", store.options(), tmp_path)
    with pytest.raises(StorageError, match=r"no-such-bucket.*make it, or correct storage\.lake"):
        lake.run_ids() if work == "read" else publish(lake, rows(1))


@pytest.mark.extended
def test_a_store_that_lets_nobody_in_or_is_gone_is_named(tmp_path: Path) -> None:
    """Reading and writing; no credential is in what is said."""
    with object_store() as store:
        lake = store.lake(tmp_path)
        publish(lake, rows(1))
        store.let_nobody_in()
        said = []
        for work in (lake.run_ids, lake.check_version, lambda: publish(lake, rows(2))):
            with pytest.raises(StorageError) as refused:
                work()
            said.append(str(refused.value))
        assert all("access key" in text for text in said), said
        store.stop()
        with pytest.raises(
            StorageError, match=r"does not answer: see storage\.s3\.endpoint"
        ) as gone:
            lake.run_ids()
        for text in (*said, str(gone.value)):
            assert text.startswith(f"the lake s3://{BUCKET}/tables: ")
            assert KEY not in text
            assert WORD not in text


def test_every_table_has_its_file_there(lake: Lake) -> None:
    """Those without rows too, so that readers find columns and types."""
    publish(lake, rows(1))
    assert {name.partition("/")[0] for name in names(lake)} == {*RUN_TABLES, "_manifest"}
