"""Bad input: one sentence that names the thing, the value and what would be right, and the exit code."""

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from collector.simulator import Population, Simulator
from tests.nightly.ground import Ended, Ground

WINDOWS = "[windows]\nminutes = [60, 120]\n"


@pytest.fixture
async def night(tmp_path: Path) -> Ground:
    """A good configuration for a service that is not there: no bad input may get so far as to ask it."""
    simulator = Simulator(Population(2, 2))
    async with simulator:
        return Ground(tmp_path, simulator, WINDOWS)


def edit(night: Ground, old: str, new: str) -> None:
    """Replace a part of the configuration."""
    text = night.config.read_text()
    assert old in text
    night.config.write_text(text.replace(old, new))


def assert_refused(ended: Ended, code: int, *words: str) -> None:
    """One sentence with these words on stderr, the same in the JSON, no traceback."""
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
    said = json.loads(ended.out)
    assert said["exit_code"] == code
    assert "\n" not in said["error"]
    assert said["error"] in ended.err
    for word in words:
        assert word in said["error"]


EDITS = {
    "unknown key": ("[service]", "[service]\ntimeoutseconds = 5", ("timeout_seconds",)),
    "unknown section": (WINDOWS, WINDOWS + "[limit]\nconcurrency = 1\n", ("limit", "limits")),
    "window 0": ("[60, 120]", "[60, 0]", ("windows.minutes", "0", "1")),
    "window too long": ("[60, 120]", "[60, 32768]", ("32768", "32767")),
    "window no number": ("[60, 120]", '["60"]', ("windows.minutes", "'60'", "whole number")),
    "no windows": ("[60, 120]", "[]", ("windows.minutes",)),
    "binding": ("[service]", '[service]\nbinding = "soap13"', ("soap13", "soap12")),
    "plain http": ("http://127.0.0.1", "http://192.0.2.1", ("http://192.0.2.1", "https")),
    "rate 0": (WINDOWS, WINDOWS + "[limits]\nrequests_per_second = 0\n", ("0", "more than 0")),
    "not TOML": ("[service]", "[service", ("TOML",)),
    "no such CSV": ("sessions.csv", "others.csv", ("others.csv",)),
}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.few(4)
async def test_wrong_configuration(night: Ground, name: str, command: str) -> None:
    """Exit code 2; key, value and what is allowed; nothing was written."""
    old, new, words = EDITS[name]
    edit(night, old, new)
    assert_refused(await night.run(command), 2, *words)
    assert not (night.folder / "data").exists()


async def test_literal_credential(night: Ground) -> None:
    """A credential that stands in the file itself is refused and never shown."""
    (night.folder / "sessions.csv").write_text(
        "label,api_key\nacme,fake-key-that-is-no-reference\n"
    )
    ended = await night.run("run")
    assert_refused(ended, 2, "api_key", "env:NAME", "file:PATH")
    assert "fake-key" not in ended.err + ended.out


async def test_a_session_is_named_by_label_and_line(night: Ground) -> None:
    """What is wrong with one of many is found by what its author knows it by."""
    (night.folder / "sessions.csv").write_text("label;api_key\nacme;env:A\nbeta;\n")
    place = f"session 'beta' (sessions_file {night.folder / 'sessions.csv'}, line 3): "
    assert_refused(await night.run("plan"), 2, place + "must have either api_key, or")
    edit(night, WINDOWS, WINDOWS + '[[sessions]]\nlabel = "gamma"\n')
    (night.folder / "sessions.csv").write_text("label;api_key\nacme;env:A\n")
    assert_refused(await night.run("run"), 2, "session 'gamma' (sessions, entry 1): must have")


async def test_label_twice(night: Ground) -> None:
    """Labels name rows, so they differ."""
    (night.folder / "sessions.csv").write_text("label,api_key\nacme,env:A\nacme,env:B\n")
    assert_refused(await night.run("run"), 2, "'acme'", "twice")


async def test_missing_variable(night: Ground) -> None:
    """The message names session, key and variable."""
    (night.folder / "sessions.csv").write_text("label,api_key\nacme,env:NO_SUCH_VARIABLE\n")
    assert_refused(await night.run("run"), 2, "'acme'", "api_key", "NO_SUCH_VARIABLE")


@pytest.mark.parametrize(("mode", "word"), [(0o644, "chmod 0600"), (None, "No such file")])
async def test_secret_file(night: Ground, mode: int | None, word: str) -> None:
    """A secret that everybody can read is refused, like one that is not there."""
    if mode is not None:
        (night.folder / "key").write_text("fake-key-0001\n")
        (night.folder / "key").chmod(mode)
    (night.folder / "sessions.csv").write_text("label,api_key\nacme,file:key\n")
    assert_refused(await night.run("run"), 2, "'acme'", "api_key", word)


@pytest.mark.parametrize("command", ["run", "collect"])
async def test_no_credential_can_be_read(night: Ground, command: str) -> None:
    """Every session is named with its reason, and nothing is begun."""
    rows = ["label,api_key,login_name,password", "a,env:NO_1,,", "b,,env:NO_2,file:absent"]
    (night.folder / "sessions.csv").write_text("\n".join(rows))
    ended = await night.run(command)
    assert_refused(ended, 2, "session 'a': api_key", "NO_1", "session 'b': login_name", "absent")
    assert not (night.folder / "data").exists()


async def test_a_plan_needs_no_credential(night: Ground) -> None:
    """It sends nothing, so it may be made where the secrets are not."""
    rows = ["label,api_key,login_name,password", "a,env:NO_1,,", "b,,env:NO_2,file:absent"]
    (night.folder / "sessions.csv").write_text("\n".join(rows))
    ended = await night.run("plan")
    assert (ended.code, ended.json["sessions"]) == (0, 2), ended.err


async def test_a_lock_that_is_none(night: Ground) -> None:
    """Something else stands where the lock should be: it is named, and left alone."""
    lock = night.folder / "data" / ".lock"
    lock.mkdir(parents=True)
    assert_refused(await night.run("run"), 2, "storage.root", "data/.lock", "plain file")
    assert lock.is_dir()


async def test_unwritable_storage(night: Ground) -> None:
    """A storage root that cannot be a folder."""
    (night.folder / "data").write_text("a file")
    assert_refused(await night.run("run"), 2, "storage.root", "data", "folder")


@pytest.mark.parametrize("command", ["run", "collect", "normalize", "status"])
async def test_a_file_where_the_landing_store_belongs(night: Ground, command: str) -> None:
    """Nothing can be known of earlier runs then, which is another thing than that there are none."""
    (night.folder / "data").mkdir(mode=0o700)
    (night.folder / "data" / "landing").write_text("a file")
    assert_refused(await night.run(command), 5, "data/landing", "Not a directory")


async def test_landing_store_of_another_version(night: Ground) -> None:
    """It is no damage: the message says who can read it, and the file stays where it is."""
    night.config.write_text(night.config.read_text() + "[retry]\nattempts = 1\n")
    assert (await night.run("collect")).code == 5
    (path,) = (night.folder / "data" / "landing").glob("*.db")
    with contextlib.closing(sqlite3.connect(path)) as store:
        store.execute("PRAGMA user_version = 99")
    ended = await night.run("normalize", "--run", path.stem)
    assert_refused(ended, 5, path.name, "version 99", "the program that wrote it")
    assert path.is_file()


async def test_lake_of_a_newer_version(night: Ground) -> None:
    """A lake that another version wrote is left alone."""
    manifest = night.lake / "_manifest"
    manifest.mkdir(parents=True)
    (manifest / "version").write_text("99\n")
    ended = await night.run("run")
    assert_refused(ended, 5, "99")
    assert not (night.lake / "calls").exists()


async def test_no_such_run(night: Ground) -> None:
    """`normalize --run` of a run that was not landed."""
    assert_refused(await night.run("normalize", "--run", "20260131T020000Z-abcdef"), 2, "20260131")


async def test_service_that_is_not_there(night: Ground) -> None:
    """Every call ends as failed, in the ledger; that not one was answered is a failure of the run."""
    text = night.config.read_text() + "[retry]\nattempts = 2\nbackoff_seconds = 0.01\n"
    night.config.write_text(text)
    ended = await night.run("run")
    assert ended.code == 5
    assert ended.json["failed"] == ended.json["planned"] == 2
    calls = night.table("calls").set_index("session")
    assert calls["fault_class"].to_dict() == {
        "mailbox-0001": "transport",
        "mailbox-0002": "transport",
    }
    assert set(calls["attempts"]) == {0}, "no request left this machine"
