"""`mailboxes`: a sessions file for what a key may list; what stands in a file stays unless it is told otherwise."""

import signal
from pathlib import Path

import pytest

from collector.simulator import Simulator
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ended, Ground, population, switches

CONFIG = """[limits]
requests_per_second = 100
per_session_per_second = 100
[retry]
backoff_seconds = 0.05
max_backoff_seconds = 0.2
[windows]
minutes = [60, 120]
"""
KEY, LOGIN = "mailbox-0001", "mailbox-0005"
LISTED = [f"mailbox-of-mailbox-{number:04}-{10_000 + number}" for number in range(1, 26)]


def names(night: Ground) -> list[str]:
    """The operations that arrived."""
    return [each.operation for each in night.simulator.log.arrivals]


async def listing(night: Ground, *options: str, key: str = KEY) -> Ended:
    """`mailboxes` into new.csv."""
    return await night.run("mailboxes", "--key", key, "-o", "new.csv", *options)


def labels(rows: list[dict[str, object]]) -> list[object]:
    """Of some rows of the result."""
    return [row["label"] for row in rows]


@pytest.mark.parametrize("binding", ["http-get", "http-post", "soap11", "soap12"])
@pytest.mark.few(1)
async def test_a_file_is_written(ground: MakeGround, binding: str) -> None:
    """A row for each mailbox of the key's network that is in use, with the reference to the key."""
    night = await ground(
        population(30, 0),
        f'binding = "{binding}"\n{CONFIG}',
        switches=switches(list_scope="network", mailbox_states="mixed"),
    )
    ended = await listing(night)
    assert ended.code == 0, ended.err
    found = ended.json
    assert (found["listed"], found["rows"], found["written"], found["unread"]) == (25, 17, True, 0)
    reasons = [row["reason"] for row in found["left_out"]]
    assert (reasons.count("suspended"), reasons.count("not managed")) == (5, 3)
    assert names(night) == ["MailboxList"]
    text = (night.folder / "new.csv").read_text()
    assert text.count(",env:T_KEY_0,300,") == 25
    assert "fake-key" not in text


async def test_the_file_is_a_configuration(ground: MakeGround) -> None:
    """The next run asks for each mailbox with that key; compared with the same list, nothing is different."""
    night = await ground(
        population(5, 0), CONFIG, switches=switches(list_scope="network", ex_scope="network")
    )
    ended = await listing(night)
    night.config.write_text(night.config.read_text().replace("sessions.csv", "new.csv"))
    run = await night.run("run")
    assert (run.code, run.json["ok"]) == (0, 5), run.err
    assert set(night.table("calls").session) == set(labels(ended.json["new"])) == set(LISTED[:5])
    again = await night.run("mailboxes", "--key", LISTED[0])
    assert (again.code, again.json["differs"]) == (0, False), again.err


async def test_a_login_is_let_out_again(ground: MakeGround) -> None:
    """Logout after the list of the network that is named; a throttled request and a lost session cost nothing."""
    night = await ground(
        population(30, 5),
        CONFIG,
        switches=switches(
            list_scope="all",
            throttle="call:1",
            fault_authentication="call:2",
            login_throttled="call:1",
            operations="MailboxListEx",
            retry_after_seconds=1,
        ),
    )
    ended = await listing(night, "--network", "301", key=LOGIN)
    assert ended.code == 0, ended.err
    assert [row["mailbox_id"] for row in ended.json["new"]] == list(range(10_026, 10_031))
    assert (night.folder / "new.csv").read_text().startswith("label,login_name,password,network_id")
    login, listed, logout = "Login", "MailboxListEx", "Logout"
    assert names(night) == [login, login, listed, listed, logout, login, listed, logout]
    arrived = [each.monotonic for each in night.simulator.log.arrivals]
    assert arrived[1] - arrived[0] > 0.9
    assert arrived[3] - arrived[2] > 0.9
    assert night.simulator.control.state()["open_sessions"] == {}


async def test_a_file_that_is_there(ground: MakeGround) -> None:
    """It is compared and stays; with --update it has what is new, and labels and rows by hand as they were."""
    night = await ground(population(25, 0), CONFIG, switches=switches(list_scope="network"))
    path = night.folder / "new.csv"
    by_hand = (
        "# mine\nmailbox_id,label,network_id,api_key,name\n10001,first,300,env:T_KEY_0,Another\n,own,,env:T_KEY_3,\n"
        "99,lost,300,env:T_KEY_0,Lost\n"
    )
    path.write_text(by_hand)
    path.chmod(0o600)
    link = night.folder / "link.csv"
    link.symlink_to(path)

    compared = await listing(night)
    assert compared.code == 1, compared.err
    assert path.read_text() == by_hand
    found = compared.json
    assert (found["differs"], found["written"], labels(found["gone"])) == (True, False, ["lost"])
    assert labels(found["new"]) == LISTED[1:]
    (renamed,) = found["renamed"]
    assert (renamed["label"], renamed["was"]) == ("first", "Another")

    updated = await night.run("mailboxes", "--key", KEY, "-o", "link.csv", "--update")
    assert updated.code == 0, updated.err
    assert updated.json["written"] is True
    assert path.read_text().splitlines()[:6] == [
        "# mine",
        "mailbox_id,label,network_id,api_key,name",
        "10001,first,300,env:T_KEY_0,Mailbox of mailbox-0001",
        ",own,,env:T_KEY_3,",
        "# gone: 99,lost,300,env:T_KEY_0,Lost",
        f"10002,{LISTED[1]},300,env:T_KEY_0,Mailbox of mailbox-0002",
    ]
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in night.folder.iterdir()) == [
        "data",
        "ecgrid.toml",
        "link.csv",
        "new.csv",
        "sessions.csv",
    ]


REFUSED: dict[str, tuple[dict[str, object], int, str]] = {
    "denied": ({}, 1, "ask for that right, or name the mailboxes by hand"),
    "other network": ({"list_scope": "network"}, 1, "Access Denied"),
    "no network": ({"list_scope": "all"}, 1, "is the number of the network right?"),
    "key": ({"fault_authentication": "always"}, 1, "is its credential right?"),
    "down": ({"html_502": "always"}, 5, "`ecgrid-stats check` says more"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.few(2)
async def test_what_the_service_refuses(ground: MakeGround, name: str) -> None:
    """A sentence that says what to do, and nothing is written."""
    texts, code, said = REFUSED[name]
    night = await ground(population(2, 0), CONFIG, switches=switches(operations="*", **texts))
    ended = await listing(night, "--network", "999")
    assert ended.code == code, ended.err
    assert said in ended.json["error"]
    assert not (night.folder / "new.csv").exists()
    assert names(night) == ["MailboxListEx"] * (4 if code == 5 else 1)


@pytest.mark.extended
@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("endless", 1, "set limits.max_reply_bytes higher"),
        ("gzip-bomb", 1, "set limits.max_reply_bytes higher"),
        ("deep-nesting", 5, "malformed"),
        ("billion-laughs", 5, "malformed"),
        ("nul-bytes", 5, "malformed"),
    ],
)
async def test_hostile_lists(ground: MakeGround, kind: str, code: int, said: str) -> None:
    """The limits of every reply hold; nothing is written."""
    size = 20_000_000 if code == 1 else 100_000
    hostile = {"hostile": "always", "hostile_kind": kind, "hostile_bytes": size}
    night = await ground(
        population(2, 0),
        CONFIG,
        switches=switches(list_scope="network", operations="MailboxList", **hostile),
    )
    ended = await listing(night)
    assert ended.code == code, ended.err
    assert said in ended.json["error"]
    assert not (night.folder / "new.csv").exists()


@pytest.mark.extended
async def test_a_list_beyond_the_limit(ground: MakeGround) -> None:
    """The key of the configuration that helps is named."""
    night = await ground(
        population(25, 0),
        CONFIG.replace("[limits]\n", "[limits]\nmax_reply_bytes = 1024\n"),
        switches=switches(list_scope="network"),
    )
    ended = await listing(night)
    assert ended.code == 1, ended.err
    assert "set limits.max_reply_bytes higher" in ended.json["error"]


BAD: dict[str, tuple[list[str], str]] = {
    "label": (["--key", "mailbox-1"], "--key 'mailbox-1': must be the label of a session"),
    "credential": (["--key", "mailbox-0002"], "the environment variable T_KEY_1 is not set"),
    "folder": (["--key", KEY, "-o", "absent/x.csv"], "must be a folder that this user may write"),
    "no sessions file": (["--key", KEY, "-o", "ecgrid.toml"], "ecgrid.toml, line 1: columns"),
    "columns": (["--key", KEY], "must have network_id, mailbox_id too"),
    "network": (["--key", KEY, "--network", "-1"], "-1"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.few(2)
async def test_bad_input(ground: MakeGround, name: str) -> None:
    """Exit code 2 and a sentence; no file is touched."""
    options, said = BAD[name]
    night = await ground(population(2, 0), CONFIG, switches=switches(list_scope="network"))
    del night.environment["T_KEY_1"]
    before = {path: path.read_bytes() for path in files(night.folder)}
    ended = await night.run("mailboxes", *options)
    assert ended.code == 2, ended.err
    assert said in ended.json["error"]
    assert {path: path.read_bytes() for path in files(night.folder)} == before
    assert night.simulator.log.total == (name == "columns")


def files(folder: Path) -> list[Path]:
    """Those right in a folder."""
    return [path for path in folder.iterdir() if path.is_file()]


@pytest.mark.extended
@pytest.mark.parametrize("was_there", [True, False])
async def test_a_file_that_changes_meanwhile(ground: MakeGround, was_there: bool) -> None:
    """What somebody wrote while the service was asked stays."""
    night = await ground(
        population(2, 0), CONFIG, switches=switches(list_scope="network", latency_ms=1000)
    )
    path = night.folder / "new.csv"
    head = "label,api_key,network_id,mailbox_id\n"
    if was_there:
        path.write_text(head)
    process = await night.start("mailboxes", "--key", KEY, "-o", "new.csv", "--update")
    await night.arrivals(1)
    path.write_text(f"{head}mine,env:T_KEY_0,,\n")
    ended = await night.ended(process)
    assert ended.code == 2, ended.err
    assert "meanwhile, and stays" in ended.json["error"]
    assert path.read_text() == f"{head}mine,env:T_KEY_0,,\n"
    assert not list(night.folder.glob(".new.csv*"))


async def test_ctrl_c(ground: MakeGround) -> None:
    """It ends soon, nothing is written, and no session stays open."""
    night = await ground(
        population(5, 1),
        f"{CONFIG}[run]\ndrain_seconds = 0.5\n",
        switches=switches(never_answer="always", operations="MailboxList", list_scope="network"),
    )
    process = await night.start("mailboxes", "--key", KEY, "-o", "new.csv")
    await night.arrivals(2)
    process.send_signal(signal.SIGINT)
    ended = await night.ended(process)
    assert ended.code == 4, ended.err
    assert not (night.folder / "new.csv").exists()
    assert night.simulator.control.state()["open_sessions"] == {}


async def test_a_name_that_holds_the_credential(
    ground: MakeGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is masked in the file and in what is printed."""
    monkeypatch.setattr("collector.simulator.mailboxes.ODD_NAMES", ("x fake-key-0001 y",))
    night = await ground(
        population(2, 0), CONFIG, switches=switches(list_scope="network", mailbox_names="odd")
    )
    assert isinstance(night.simulator, Simulator)
    ended = await listing(night)
    assert ended.code == 0, ended.err
    assert "fake-key" not in ended.out + ended.err + (night.folder / "new.csv").read_text()
    assert labels(ended.json["new"]) == ["x-y-10001", "x-y-10002"]
