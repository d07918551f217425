"""The whole chain with the lake on a store of objects: run, status, normalize, kill -9, the store going away."""

import asyncio
import contextlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipelines.lake import Lake
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, counts_sent, counts_told, population
from tests.pipelines.object_store import BUCKET, KEY, WORD, ObjectStore, object_store

pytest.importorskip("moto")
WINDOWS = "[windows]\nminutes = [60, 120, 180, 240]\n[limits]\nrequests_per_second = 500\n"
FAST = "per_session_per_second = 500\n"


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    """A store that each test may break."""
    with object_store() as running:
        yield running


async def ground_on(store: ObjectStore, make: MakeGround, bucket: str = BUCKET) -> Ground:
    """A ground whose lake is in the store."""
    storage = f'[storage]\nlake = "s3://{bucket}/tables"\n[storage.s3]\nregion = "us-east-1"\n'
    keys = f'endpoint = "{store.endpoint}"\naccess_key = "env:S_KEY"\nsecret_key = "file:word"\n'
    ground = await make(population(6), WINDOWS + FAST + storage + keys)
    ground.environment["S_KEY"] = KEY
    (ground.folder / "word").touch(mode=0o600)
    (ground.folder / "word").write_text(WORD)
    return ground


def table(lake: Lake, name: str) -> pd.DataFrame:
    """A published table, through the manifests."""
    files = lake.files(name)
    assert all(file.only is None for file in files)
    paths = [f"{lake.storage.base}/{file.path}" for file in files]
    return pq.ParquetDataset(paths, lake.storage.filesystem, partitioning=None).read().to_pandas()


async def test_a_night_ends_in_the_bucket(
    store: ObjectStore, ground: MakeGround, tmp_path: Path
) -> None:
    """The tables are those that the service told, nothing of them is on this machine, no key is told."""
    night = await ground_on(store, ground)
    ran = await night.run("run", "-v")
    assert ran.code == 0, ran.err
    lake = store.lake(tmp_path / "drafts")
    stats, calls = table(lake, "instant_stats"), table(lake, "calls")
    plan = calls[["session", "window1_minutes", "window2_minutes"]].itertuples(index=False)
    states = dict(zip(plan, calls["state"], strict=True))
    assert counts_sent(stats) == counts_told(night.simulator, states)
    assert not night.lake.exists()
    before = store.objects()
    again = await night.run("normalize", "-v")
    assert (again.code, again.json["rows"]) == (0, ran.json["rows"])
    assert store.objects() == before
    shown = await night.run("status")
    assert [run["published"] for run in shown.json["runs"]] == [True]
    checked = await night.run("check")
    assert checked.code == 0, checked.out
    assert store.objects() == before
    files = [path for path in night.folder.rglob("*") if path.is_file() and path.name != "word"]
    written = [path.read_bytes() for path in files]
    told = "".join(ended.out + ended.err for ended in (ran, again, shown, checked)).encode()
    for text in (told, *written):
        assert KEY.encode() not in text
        assert WORD.encode() not in text


@pytest.mark.extended
async def test_the_store_goes_away_and_comes_back(
    store: ObjectStore, ground: MakeGround, tmp_path: Path
) -> None:
    """The night is collected all the same and ends with 5; the next run publishes it and sends nothing."""
    night = await ground_on(store, ground)
    store.stop()
    ran = await night.run("run")
    assert ran.code == 5
    assert f"s3://{BUCKET}/tables: it does not answer" in ran.json["error"]
    for command in ("status", "check"):
        ended = await night.run(command)
        assert ended.code != 0
        assert "Traceback" not in ended.err
        assert "does not answer" in ended.out
    store.start()
    caught_up = await night.run("run")
    assert caught_up.code == 0, caught_up.err
    assert caught_up.json["resumed"] is True
    assert store.lake(tmp_path).run_ids() == [caught_up.json["run_id"]]
    arrivals = list(night.simulator.log.arrivals)
    asked = [each for each in arrivals if each.operation == "ReportInstantStats"]
    assert len(asked) == caught_up.json["planned"]


@pytest.mark.extended
async def test_killed_while_publishing(
    store: ObjectStore, ground: MakeGround, tmp_path: Path
) -> None:
    """Killed at five moments of `normalize`: readers of manifests see the run whole or not at all."""
    night = await ground_on(store, ground)
    collected = await night.run("collect")
    lake, chance = store.lake(tmp_path / "drafts"), random.Random(5)
    for _ in range(5):
        process = await night.start("normalize")
        async with asyncio.timeout(30):
            while not list((night.folder / "data").glob("drafts/*/*/*")):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.002)
        await asyncio.sleep(chance.uniform(0, 0.15))
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
        if lake.run_ids():
            assert len(table(lake, "calls")) == collected.json["planned"]
    done = await night.run("normalize")
    assert done.code == 0, done.err
    manifest = lake.manifest(collected.json["run_id"])
    assert manifest is not None
    named = {file.path for file in manifest.files}
    found = {name for name in store.objects() if not name.startswith("_manifest/")}
    assert {name for name in found if not name.startswith("traffic_history/")} == named
    assert len(table(lake, "traffic_history")) > 0
    assert not (night.folder / "data" / "drafts").exists()


async def test_a_missing_bucket_and_refused_keys_are_named(
    store: ObjectStore, ground: MakeGround
) -> None:
    """Exit code 5, the bucket, and what to do; what was collected waits for the next run."""
    night = await ground_on(store, ground, "no-such-bucket")
    ran = await night.run("run")
    assert ran.code == 5
    assert "there is no bucket 'no-such-bucket': make it" in ran.json["error"]
    assert ran.json["error"].endswith("safe in landing; `ecgrid-stats run` again publishes it")
    store.let_nobody_in()
    night = await ground_on(store, ground)
    ran = await night.run("run", "-v")
    assert ran.code == 5
    assert f"s3://{BUCKET}/tables: " in ran.json["error"]
    assert "access key" in ran.json["error"]
    assert KEY not in ran.out + ran.err
    assert WORD not in ran.out + ran.err
    assert json.loads(ran.out)["exit_code"] == 5
