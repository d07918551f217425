"""`storage.group`: analysts read what is published, and nothing else of the storage root."""

import grp
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, population

CONFIG = """[limits]
requests_per_second = 500
per_session_per_second = 200
[windows]
every = "1h"
since = "6h"
[warehouse.duckdb]
"""
GROUP = "games"  # Debian has it, and nobody is in it
NOBODY = 65_534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


@pytest.fixture
def root() -> Iterator[Path]:
    """A storage root that others can come to, if they may."""
    folder = Path(tempfile.mkdtemp(prefix="ecgrid-group-"))
    folder.chmod(0o711)
    yield folder / "root"
    shutil.rmtree(folder)


def as_nobody(groups: list[int], *words: str | Path) -> subprocess.CompletedProcess[bytes]:
    """What a program of the system does as another user."""
    return subprocess.run(
        [*map(str, words)],
        user=NOBODY,
        group=NOBODY,
        extra_groups=groups,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        timeout=30,
        check=False,
    )


def modes(folder: Path) -> set[tuple[bool, int, int]]:
    """Of all that is in a folder: whether it is a folder, mode and group."""
    return {
        (path.is_dir(), stat.S_IMODE(path.stat().st_mode), path.stat().st_gid)
        for path in folder.rglob("*")
    }


async def with_group(ground: MakeGround, root: Path, group: str = GROUP) -> Ground:
    """A night whose root a group may read."""
    night = await ground(population(2, 0), CONFIG)
    with night.config.open("a") as config:
        config.write(f'[storage]\nroot = "{root}"\n')
    assert (await night.run("run")).code == 0
    assert modes(root / "lake") <= {(True, 0o700, 0), (False, 0o600, 0)}
    with night.config.open("a") as config:
        config.write(f'group = "{group}"\n')
    return night


@pytest.mark.extended
@needs_root
async def test_a_member_reads_and_others_do_not(ground: MakeGround, root: Path) -> None:
    """What was there before and what came since, also after compaction; not the replies, not the credentials' store."""
    night = await with_group(ground, root)
    gid = grp.getgrnam(GROUP).gr_gid
    assert (await night.run("run")).code == 0
    for command in ("normalize", "compact", "load"):
        assert (await night.run(command)).code == 0
    assert modes(root / "lake") == {(True, 0o2750, gid), (False, 0o640, gid)}
    tables = [*(root / "lake").rglob("*.parquet"), root / "warehouse.duckdb"]
    assert len(tables) > 6
    for path in tables:
        assert as_nobody([gid], "cat", path).stdout == path.read_bytes()
        assert as_nobody([], "cat", path).returncode != 0
    listed = as_nobody([gid], "find", root / "lake", "-name", "*.parquet")
    assert len(listed.stdout.splitlines()) == len(tables) - 1
    landed = [*(root / "landing").glob("*.db")]
    assert landed
    for private in (*landed, root / ".lock"):
        assert as_nobody([gid], "cat", private).returncode != 0
    assert as_nobody([gid], "ls", root).returncode != 0


async def test_a_group_that_is_none(ground: MakeGround) -> None:
    """Named, before anything is sent; `check` says it, too."""
    night = await ground(population(1, 0), CONFIG + '[storage]\ngroup = "no-such-group"\n')
    for command in ("run", "normalize"):
        ended = await night.run(command)
        assert ended.code == 2
        assert "storage.group = 'no-such-group': there is no such group" in ended.json["error"]
    assert night.simulator.log.total == 0
    checked = await night.run("check")
    assert checked.code == 1
    bad = [each["about"] for each in checked.json["findings"] if not each["good"]]
    assert bad == ["group"]
