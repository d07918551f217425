"""A credential that cannot be read: its own calls fail, with the reason; everybody else's are made."""

from collections import Counter

import pytest

from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, population

CONFIG = """[limits]
requests_per_second = 500
per_session_per_second = 200
[windows]
minutes = [60, 120, 180]
"""
UNSET = (
    "api_key = 'env:NO_SUCH_VARIABLE': the environment variable NO_SUCH_VARIABLE is not set where this"
    " command runs"
)


async def with_bad_ones(ground: MakeGround, bad: int) -> Ground:
    """Six sessions, every other one with a login; the credentials of the last ones cannot be read."""
    night = await ground(population(6, 2), CONFIG)
    path = night.folder / "sessions.csv"
    (night.folder / "good.csv").write_text(path.read_text())
    head, *rows = path.read_text().splitlines()
    labels = [row.partition(",")[0] for row in rows]
    (night.folder / "open").write_text("fake-key-0001\n")
    (night.folder / "open").chmod(0o644)
    wrong = ["env:NO_SUCH_VARIABLE,,", "file:open,,", ",env:EMPTY,file:absent"]
    night.environment["EMPTY"] = ""
    for number in range(bad):
        rows[-1 - number] = f"{labels[-1 - number]},{wrong[number % 3]}"
    path.write_text("\n".join([head, *rows]) + "\n")
    return night


@pytest.mark.parametrize("bad", [1, 4])
async def test_its_calls_fail_and_no_others(ground: MakeGround, bad: int) -> None:
    """Exit code 1; class and reason are in the table, and not one request of these sessions was sent."""
    night = await with_bad_ones(ground, bad)
    ended = await night.run("run")
    assert ended.code == 1, ended.err
    counts = {name: ended.json[name] for name in ("planned", "ok", "failed", "attempts")}
    assert counts == {
        "planned": 12,
        "ok": 12 - 2 * bad,
        "failed": 2 * bad,
        "attempts": 12 - 2 * bad,
    }
    assert ended.json["faults"] == {"credential": 2 * bad}
    calls = night.table("calls")
    failed = calls[calls["state"] == "failed"]
    assert set(failed["fault_class"]) == {"credential"}
    assert not failed["attempts"].any()
    said = failed.drop_duplicates("session").set_index("session")["fault_text"]
    assert said["mailbox-0006"] == UNSET
    if bad == 4:
        assert said["mailbox-0005"].startswith("api_key = 'file:open': ")
        assert "chmod 0600" in said["mailbox-0005"]
        assert "EMPTY" in said["mailbox-0004"]
        assert "absent" in said["mailbox-0004"]
    operations = Counter(each.operation for each in night.simulator.log.arrivals)
    assert operations["ReportInstantStats"] == 12 - 2 * bad
    assert operations["WhoAmI"] == 6 - bad
    assert operations["Login"] == operations["Logout"] == (1 if bad == 4 else 2)
    assert f"sessions={bad}" in ended.err
    assert "fake-key" not in ended.err + ended.out


async def test_check_names_every_one(ground: MakeGround) -> None:
    """Each is a finding with its reason; the other sessions are tried as ever."""
    night = await with_bad_ones(ground, 4)
    ended = await night.run("check")
    assert ended.code == 1, ended.err
    bad = {each["about"]: each["said"] for each in ended.json["findings"] if not each["good"]}
    assert list(bad) == [f"session mailbox-000{number}" for number in (3, 4, 5, 6)]
    assert bad["session mailbox-0006"] == f"credential: {UNSET}"
    assert "chmod 0600" in bad["session mailbox-0005"]


async def test_check_where_none_can_be_read(ground: MakeGround) -> None:
    """Still a finding for each, and for the service; the exit code is that of a wrong configuration."""
    night = await with_bad_ones(ground, 6)
    ended = await night.run("check")
    assert ended.code == 2, ended.err
    bad = [each["about"] for each in ended.json["findings"] if not each["good"]]
    assert bad == [f"session mailbox-000{number}" for number in range(1, 7)]
    assert any(each["about"] == "clock" and each["good"] for each in ended.json["findings"])


async def test_check_names_them_where_there_is_no_service(ground: MakeGround) -> None:
    """What is wrong here is said whether anybody answers or not."""
    night = await with_bad_ones(ground, 4)
    text = night.config.read_text()
    night.config.write_text(text.replace(night.simulator.url, "http://127.0.0.1:9/nothing.asmx"))
    ended = await night.run("check")
    assert ended.code == 5, ended.err
    bad = [each["about"] for each in ended.json["findings"] if not each["good"]]
    assert bad == [*(f"session mailbox-000{number}" for number in (3, 4, 5, 6)), "service"]


@pytest.mark.extended
async def test_mended_it_is_asked_for_by_the_next_run(ground: MakeGround) -> None:
    """Nothing of the failure stays."""
    night = await with_bad_ones(ground, 1)
    assert (await night.run("run")).code == 1
    (night.folder / "good.csv").replace(night.folder / "sessions.csv")
    ended = await night.run("run")
    assert (ended.code, ended.json["ok"]) == (0, 12), ended.err
