import asyncio
import re
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from collector.domain.outcomes import FaultClass
from pipelines.job import metrics
from tests.alert.conftest import Check, MakeGround
from tests.alert.prometheus import RULES, Case, check_rules, program, series
from tests.nightly.ground import Ended, Ground, population, switches

ROOT = Path(__file__).parents[2]
PREFIX = "ecgrid_stats_"
MOST_SERIES = 60
CONFIG = """[limits]
requests_per_second = 500
per_session_per_second = 100
[windows]
{windows}
[metrics]
textfile = "metrics/ecgrid.prom"
"""
TRAILING = CONFIG.format(windows="minutes = [60, 120]")
HISTORY = CONFIG.format(windows='every = "1h"\nsince = "6h"')
HOUR = 3_600


async def night_of(ground: MakeGround, sessions: int, config: str, **faults: object) -> Ground:
    """A ground whose runs leave metrics."""
    night = await ground(population(sessions, 3), config, switches=switches(**faults))
    (night.folder / "metrics").mkdir()
    return night


def textfile(night: Ground) -> Path:
    """What is written there."""
    return night.folder / "metrics" / "ecgrid.prom"


def read(night: Ground) -> dict[str, float]:
    """The samples, by name without the prefix and label."""
    found = series(textfile(night).read_text(), now=0)
    return {name.removeprefix(PREFIX): value for name, value in found.items()}


def expect_of(ended: Ended) -> dict[str, float]:
    """What the metrics of a run must say, by its JSON."""
    said = ended.json
    found = {
        f'last_run_calls{{state="{key}"}}': said[key]
        for key in ("ok", "empty", "failed", "not_attempted")
    }
    found |= {f'last_run_failed_calls{{class="{fault}"}}': 0 for fault in FaultClass}
    found |= {
        f'last_run_failed_calls{{class="{key}"}}': count
        for key, count in (said["faults"] or {}).items()
    }
    found |= {f"last_run_{key}": said[key] for key in ("attempts", "logins", "rows", "exit_code")}
    found["last_run_retries"] = sum(said["retried"].values())
    if history := said["history"]:
        found |= {
            f'history_spans{{state="{key}"}}': history[key]
            for key in ("exact", "bounded", "unseen")
        }
        found |= {f"history_{key}_spans": history[key] for key in ("lost", "healed", "expiring")}
    return found


def served(folder: Path) -> str:
    """What a real node_exporter makes of the folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [program("prometheus-node-exporter"), f"--web.listen-address={address}"]
    command += [
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={folder}",
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as exporter:
        try:
            for _ in range(200):
                try:
                    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as page:
                        return str(page.read().decode())
                except urllib.error.URLError:
                    time.sleep(0.02)
        finally:
            exporter.terminate()
    pytest.fail("node_exporter does not answer")


async def test_the_numbers_of_a_run(ground: MakeGround) -> None:
    """Those of its JSON; few, valid by promtool, readable for others whatever the umask, served by node_exporter."""
    night = await night_of(ground, 6, HISTORY, fault_system="every:4")
    before = time.time()
    ended = await night.ended(
        await night.shell(f"umask 077; {' '.join(night.program)} run -c {night.config} --json")
    )
    assert ended.code == 0, ended.err
    found = read(night)
    assert {name: found[name] for name in expect_of(ended)} == expect_of(ended)
    assert found["last_run_retries"] > 0
    assert (
        before
        < found["last_run_start_timestamp_seconds"]
        < found["last_run_end_timestamp_seconds"]
        < time.time()
    )
    assert found["last_success_timestamp_seconds"] == found["last_run_end_timestamp_seconds"]
    assert (found["run_at_work"], found["last_run_success"]) == (0, 1)
    assert 0 < ended.json["seconds"] <= found["last_run_duration_seconds"] < 30
    assert "history_next_expiry_timestamp_seconds" not in found  # nothing is missing
    assert len(found) <= MOST_SERIES
    assert stat.S_IMODE(textfile(night).stat().st_mode) == 0o644
    assert [path.name for path in textfile(night).parent.iterdir()] == ["ecgrid.prom"]

    linted = await night.shell(f"{program('promtool')} check metrics < {textfile(night)}")
    assert await linted.communicate() == (b"", b"")
    assert linted.returncode == 0
    page = await asyncio.to_thread(served, textfile(night).parent)
    assert {k: v for k, v in series(page, 0).items() if k.startswith(PREFIX)} == series(
        textfile(night).read_text(), 0
    )
    assert "node_textfile_scrape_error 0" in page


async def test_a_run_at_work_and_one_that_was_killed(ground: MakeGround, check: Check) -> None:
    """The start is told at once beside what was known before; a kill leaves it so, and there is no ping of an end."""
    night = await night_of(ground, 4, TRAILING + '[alert]\nping_url = "env:ECGRID_PING_URL"\n')
    night.environment["ECGRID_PING_URL"] = check.url
    assert (await night.run("run")).code == 0
    first = read(night)
    night.simulator.control.change({"switches": {"latency_ms": "2000"}})
    process = await night.start("run")
    await night.arrivals(night.simulator.log.total + 2)
    process.kill()
    await process.wait()
    assert check.suffixes == ["/start", "", "/start"]
    killed = read(night)
    changed = {name for name in killed if killed[name] != first[name]}
    assert changed == {"run_at_work", "last_run_start_timestamp_seconds"}
    assert killed["run_at_work"] == 1
    assert killed["last_run_start_timestamp_seconds"] > first["last_run_end_timestamp_seconds"]
    check_rules(
        night.folder,
        [
            Case(_after(night, killed), 25 * HOUR, ()),
            Case(_after(night, killed), 27 * HOUR, ("EcgridStatsNothingRan",)),
        ],
    )


def _after(night: Ground, found: dict[str, float]) -> dict[str, float]:
    """The series of the file; second 0 is when its last run ended."""
    return series(textfile(night).read_text(), found["last_run_end_timestamp_seconds"])


def _explained(found: dict[str, float]) -> None:
    """docs/operations.md has every metric, and how many series there are at most; no rule is about another one."""
    page = (ROOT / "docs" / "operations.md").read_text()
    assert f"at most {len(found)} series" in page
    names = {name.partition("{")[0] for name in found}
    assert names <= set(re.findall(r"`([a-z_]+)(?:\{[a-z]+=\})?`", page))
    assert set(re.findall(rf"{PREFIX}([a-z_]+)", RULES.read_text())) <= names


@pytest.mark.extended
async def test_a_failed_run_leaves_what_it_does_not_know(ground: MakeGround) -> None:
    """Exit code and end are its own; the history and the last success stay, of its calls nothing is said."""
    night = await night_of(ground, 3, HISTORY)
    assert (await night.run("run")).code == 0
    good = read(night)
    night.config.write_text(night.config.read_text().replace('since = "6h"', 'since = "6x"'))
    assert (await night.run("run")).code == 2
    failed = read(night)
    assert (failed["last_run_exit_code"], failed["last_run_success"], failed["run_at_work"]) == (
        2,
        0,
        0,
    )
    assert failed["last_run_end_timestamp_seconds"] > good["last_run_end_timestamp_seconds"]
    assert failed["last_success_timestamp_seconds"] == good["last_success_timestamp_seconds"]
    assert {k: v for k, v in failed.items() if k.startswith("history_")} == {
        k: v for k, v in good.items() if k.startswith("history_")
    }
    assert not [name for name in failed if name.startswith(("last_run_calls", "last_run_rows"))]


async def test_signals_fire_where_their_cause_is_real(ground: MakeGround) -> None:
    """A tenth of the calls fails; nobody answers; old hours are left to the next run: alerts out of what runs left."""
    tenth, down, holes = [
        await night_of(ground, sessions, config, **faults)
        for sessions, config, faults in (
            (10, TRAILING, {}),
            (
                2,
                TRAILING,
                {"fault_authorisation": "always"},
            ),
            (2, CONFIG.format(windows='every = "12h"\nsince = "22d"\nmax_calls = 2'), {}),
        )
    ]
    name = next(key for key in tenth.environment if key.startswith("T_KEY_"))
    tenth.environment[name] = "ffffffff-ffff-ffff-ffff-ffffffffffff"
    codes = [(await night.run("run")).code for night in (tenth, down, holes)]
    assert codes == [1, 5, 0]
    expiry = read(holes)["history_next_expiry_timestamp_seconds"]
    assert (
        0 < expiry - time.time() < 18 * HOUR
    )  # of a span that began 22 to 22.5 days ago, an hour before its end
    assert read(holes)["history_expiring_spans"] in {2 * 4, 2 * 5, 2 * 6}  # 2 sessions, half days
    _explained(read(holes))
    check_rules(
        tenth.folder,
        [
            Case(
                _after(tenth, read(tenth)), 60, ("EcgridStatsCallsFailed", "EcgridStatsRunFailed")
            ),
            Case(_after(down, read(down)), 60, ("EcgridStatsCallsFailed", "EcgridStatsRunFailed")),
            Case(_after(holes, read(holes)), 60, ("EcgridStatsHolesExpire",)),
        ],
    )


@pytest.mark.parametrize("place", ["none/ecgrid.prom", "/proc/self/ecgrid.prom", "folder.prom"])
def test_places_where_nothing_can_be_written(tmp_path: Path, place: str) -> None:
    """Below a file, where not even root may write, and where a folder stands: an error of the system, and no draft."""
    (tmp_path / "none").write_text("")
    (tmp_path / "folder.prom" / "below").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        metrics.write(tmp_path / place, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.prom", "none"]


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """The file stays as it was, and no draft of another is left."""
    path = tmp_path / "ecgrid.prom"
    metrics.write(path, metrics.began({}, 5.0))
    before = path.read_bytes()
    code = f"from pathlib import Path; from pipelines.job import metrics; metrics.write(Path({str(path)!r}), {{}})"
    done = subprocess.run(
        # a file that may not grow any more is a disk that is full
        ["prlimit", "--fsize=10", sys.executable, "-B", "-c", code],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert b"File too large" in done.stderr
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\x00",
        b"ecgrid_stats_last_success_timestamp_seconds",
        b"ecgrid_stats_last_success_timestamp_seconds five",
        b'ecgrid_stats_other 5\necgrid_stats_history_spans{state="none"} 5',
        b"x" * 100_000,
    ],
    ids=["empty", "binary", "cut", "no-number", "not-ours", "long"],
)
def test_a_damaged_file_is_passed_over(tmp_path: Path, text: bytes) -> None:
    """Nothing is taken from it but what is whole."""
    path = tmp_path / "ecgrid.prom"
    path.write_bytes(text)
    assert metrics.earlier(path) == {}
    path.write_bytes(b"ecgrid_stats_last_success_timestamp_seconds 5.5\n" + text)
    assert metrics.earlier(path) == {("last_success_timestamp_seconds", ""): 5.5}


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder or a pipe is not waited for."""
    path = tmp_path / "ecgrid.prom"
    assert metrics.earlier(path) == metrics.earlier(tmp_path) == {}
    subprocess.run(["mkfifo", path], check=True)
    assert metrics.earlier(path) == {}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Every number, those of one run beside those of another."""
    path = tmp_path / "ecgrid.prom"
    readings = metrics.ended(metrics.began({}, 1.5), 3.5, 2.0, 0, is_success=True)
    metrics.write(path, readings)
    assert metrics.earlier(path) == readings
