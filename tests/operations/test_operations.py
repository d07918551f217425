"""The steps of docs/operations.md, as they stand there, in a folder of the test."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.lake import Lake
from pipelines.read import open_lake
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, population, switches

ROOT = Path(__file__).parents[2]
CONFIG = """[limits]
requests_per_second = 500
per_session_per_second = 200
[windows]
every = "1h"
since = "12h"
"""


def needs(program: str) -> pytest.MarkDecorator:
    """Skipped where a program is missing."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def block(heading: str, number: int = 0, language: str = "sh") -> str:
    """A block of code below a heading of the page."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text, flags=re.MULTILINE)
    (found,) = (each for each in section if each.startswith(heading + "\n"))
    return re.findall(rf"^```{language}\n(.*?)^```", found, re.MULTILINE | re.DOTALL)[number]


def here(text: str, places: Mapping[str, object]) -> str:
    """The same with other paths; each of them occurs."""
    for path, place in places.items():
        assert path in text, path
        text = text.replace(path, str(place))
    return text


def programs(night: Ground) -> None:
    """`ecgrid-stats` is on the PATH, as the page has it."""
    folder = night.folder / "bin"
    folder.mkdir()
    program = folder / "ecgrid-stats"
    program.write_text(f'#!/bin/sh\nexec {" ".join(night.program)} "$@"\n')
    program.chmod(0o755)
    night.environment["PATH"] = f"{folder}:{os.environ['PATH']}"


async def shell(night: Ground, text: str) -> str:
    """What a script prints; it must end well."""
    process = await night.shell(f"set -eu\n{text}")
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.extended
@needs("rsync")
async def test_backup_beside_a_run_and_restore(ground: MakeGround, tmp_path: Path) -> None:
    """Copied again and again while runs publish: every copy, restored, is a whole lake."""
    night = await ground(population(6, 0), CONFIG, switches=switches(latency_ms=20))
    programs(night)
    assert (await night.run("run")).code == 0
    backup = tmp_path / "backup"
    backup.mkdir()
    places = {
        "/var/lib/ecgrid-stats/lake/": f"{night.lake}/",
        "/srv/backup/lake/": f"{backup}/lake/",
    }
    script = here(block("Backup and restore"), places)
    for number in range(3):
        process = await night.start("normalize" if number else "run")
        await shell(night, script)
        code = (await night.ended(process)).code
        assert code in {0, 1}
        restored = tmp_path / f"restored-{number}"
        restored.mkdir()
        config = restored / "ecgrid.toml"
        config.write_text(
            night.config.read_text().replace('"sessions.csv"', f'"{night.folder}/sessions.csv"')
            + f'[storage]\nroot = "{restored}"\n'
        )
        told = await shell(
            night,
            here(
                block("Backup and restore", 1),
                {
                    "/srv/backup/lake": backup / "lake",
                    "/var/lib/ecgrid-stats/": f"{restored}/",
                    "/etc/ecgrid-stats/ecgrid.toml": config,
                },
            ),
        )
        assert "published, landing store dropped" in told
        assert "not what was published" not in told
        lake = Lake(restored / "lake")
        lake.settle()
        assert lake.wrong_files() == {}
        assert len(open_lake(restored).traffic_history()) >= 6 * 12 * 4


@pytest.mark.extended
@needs("rsync")
async def test_the_root_is_moved(ground: MakeGround, tmp_path: Path) -> None:
    """Runs, history and what is asked for next are as before."""
    night = await ground(population(2, 0), CONFIG)
    root, place = tmp_path / "root", tmp_path / "place"
    with night.config.open("a") as config:
        config.write(f'[storage]\nroot = "{root}"\n')
    programs(night)
    ran = await night.run("run")
    assert ran.code == 0
    told = await shell(
        night,
        here(
            block("Move the storage root"),
            {
                "/var/lib/ecgrid-stats/": f"{root}/",
                "/srv/ecgrid-stats": place,
                "/etc/ecgrid-stats/ecgrid.toml": night.config,
            },
        ),
    )
    shutil.rmtree(root)
    assert f"{ran.json['run_id']}  " in told
    again = await night.run("status", "--complete")
    assert again.code == 0, again.out
    assert (await night.run("plan")).json["healed"] == 0
    assert (place / "lake" / "traffic_history").is_dir()
    assert not root.exists()


@pytest.mark.parametrize("fails", [False, True])
async def test_the_cron_line(ground: MakeGround, fails: bool) -> None:
    """In cron's own poor environment: silent if all is well, else one line for the mail."""
    night = await ground(population(1, 0), CONFIG)
    programs(night)
    keys = [known.api_key for known in night.simulator.population.credentials().values()]
    secret = night.folder / "key"
    secret.write_text(str(keys[0]))
    secret.chmod(0o644 if fails else 0o600)
    (night.folder / "sessions.csv").write_text(f"label,api_key\none,file:{secret}\n")
    entry = block("Every night", 0, "crontab").splitlines()[1]
    minute_and_user = re.match(r"(\S+ ){5}ecgrid ", entry)
    assert minute_and_user
    line = here(
        entry[minute_and_user.end() :],
        {
            "/opt/ecgrid-stats/bin": night.folder / "bin",
            "/etc/ecgrid-stats/ecgrid.toml": night.config,
            "/var/lib/ecgrid-stats": night.folder,
        },
    )
    night.environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "HOME": str(night.folder),
    }
    mailed = await shell(night, line)
    log = (night.folder / "run.log").read_text()
    if fails:
        assert mailed == f"ecgrid-stats: exit code 2, see {night.folder}/run.log\n"
        assert "chmod 0600" in log
    else:
        assert mailed == ""
        assert "calls planned" in log


@needs("systemd-analyze")
def test_units_are_sound(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say; what a stop may take is more than the program needs for it."""
    units = ROOT / "config" / "systemd"
    program = tmp_path / "ecgrid-stats"
    shutil.copy("/bin/true", program)
    for unit in units.iterdir():
        text = unit.read_text(encoding="utf-8")
        (tmp_path / unit.name).write_text(
            text.replace("/opt/ecgrid-stats/bin/ecgrid-stats", str(program))
        )
    found = subprocess.run(
        ["systemd-analyze", "verify", *map(str, tmp_path.glob("ecgrid-stats.*"))],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    service = (units / "ecgrid-stats.service").read_text(encoding="utf-8")
    settings = dict(re.findall(r"^(\w+)=(.*)$", service, re.MULTILINE))
    assert settings["Restart"] == "on-abnormal"
    assert {"2", "3"} <= set(settings["RestartPreventExitStatus"].split())
    drain = 60  # run.drain_seconds, three times at most
    assert float(settings["TimeoutStopSec"].rstrip("s")) > 3 * drain
