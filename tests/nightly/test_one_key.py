"""One key, many mailboxes: a night in which few credentials see all mailboxes, and some mailboxes are denied."""

from collections import Counter
from itertools import pairwise

import pytest

from collector.simulator import Population
from tests.nightly.conftest import MakeGround
from tests.nightly.ground import Ground, counts_sent, counts_told, switches

CONFIG = """binding = "{binding}"
[limits]
requests_per_second = 2000
per_session_per_second = 1000
concurrency = 8
per_session_concurrency = 4
[retry]
backoff_seconds = 0.01
[windows]
every = "1h"
since = "{since}"
"""


async def ground_of(
    ground: MakeGround,
    boxes: int,
    denied: int,
    *,
    binding: str = "soap12",
    since: str = "6h",
    **more: object,
) -> tuple[Ground, list[str]]:
    """Mailboxes behind a key and a login, of which so many are denied; and the labels of those."""
    population = Population(boxes, login_every=2, keys=2)
    night = await ground(
        population,
        CONFIG.format(binding=binding, since=since),
        switches=switches(ex_scope="network", **more),
    )
    labels = list(population.credentials())[:: boxes // denied][:denied]
    for label in labels:
        night.simulator.change({"ex_scope": "none"}, label)
    return night, labels


def is_one_at_a_time(night: Ground) -> bool:
    """No Login began before the one before it had been answered, and no two were open."""
    logins = [each for each in night.simulator.log.arrivals if each.operation == "Login"]
    assert set(night.simulator.accounts.most_open.values()) == {1}
    return all((a.answered_monotonic or 0.0) <= b.monotonic for a, b in pairwise(logins))


async def told_the_truth(night: Ground, denied: list[str], each: int) -> None:
    """Every allowed count is the service's, every denied label was denied once, and the history lacks nothing else."""
    ended = await night.run("run")
    boxes = len(night.simulator.population.credentials())
    assert ended.code == 1, ended.err
    assert (ended.json["planned"], ended.json["ok"]) == (each * boxes, each * (boxes - len(denied)))
    assert ended.json["faults"] == {"authorisation": each * len(denied)}
    calls = night.table("calls")
    asked = calls[calls.state == "ok"]
    keys = zip(asked.session, asked.window1_minutes, asked.window2_minutes, strict=True)
    states = dict.fromkeys(keys, "ok")
    answers = night.simulator.log.answers
    assert {(one.session, one.minutes1, one.minutes2) for one in answers} == set(states)
    assert counts_sent(night.table("instant_stats")) == counts_told(night.simulator, states)

    log = night.simulator.log.arrivals
    refused = Counter(one.session for one in log if one.fault == "authorisation")
    assert refused == dict.fromkeys(denied, 1)
    failed = calls[calls.state == "failed"]
    assert set(failed.session) == set(denied)
    assert (failed.attempts > 0).sum() == len(denied), "of each label one call was asked"
    assert (
        failed[failed.attempts == 0]
        .fault_text.str.startswith("not asked, since another call")
        .all()
    )

    history = night.table("traffic_history")
    assert set(history.session) == set(night.simulator.population.credentials()) - set(denied)
    assert set(history.state) <= {"exact", "bounded"}
    users = {
        user.label: (user.network_id, user.mailbox_id)
        for user in night.simulator.population.users()
    }
    for table in ("sessions", "traffic_history", "instant_stats"):
        known = night.table(table).drop_duplicates("session")
        ids = zip(known.network_id, known.mailbox_id, strict=True)
        found = dict(zip(known.session, ids, strict=True))
        assert found == {label: users[label] for label in found}, table
    assert set(night.table("sessions").session) == set(users), (
        "one WhoAmI a credential is of all its labels"
    )
    assert Counter(one.operation for one in log)["WhoAmI"] == 2
    assert is_one_at_a_time(night)


@pytest.mark.parametrize("binding", ["soap12", "soap11", "http-post", "http-get"])
@pytest.mark.few(1)
async def test_a_night(ground: MakeGround, binding: str) -> None:
    """60 mailboxes behind a key and a login whose sessions end every 50 calls; three mailboxes are denied."""
    night, denied = await ground_of(ground, 60, 3, binding=binding, expire_after_calls=50)
    await told_the_truth(night, denied, each=4)
    assert night.simulator.accounts.logins["mailbox-0031"] >= 2


@pytest.mark.extended
async def test_a_large_night(ground: MakeGround) -> None:
    """1,000 mailboxes, 20 of them denied, and a session that ends in the middle."""
    night, denied = await ground_of(ground, 1_000, 20, since="2h", expire_after_calls=700)
    await told_the_truth(night, denied, each=2)
    assert night.simulator.accounts.logins["mailbox-0501"] == 2


def at(night: Ground, operation: str) -> list[str]:
    """Who was asked about with an operation, in order."""
    return [one.session for one in night.simulator.log.arrivals if one.operation == operation]


async def test_check_lets_each_credential_in_once(ground: MakeGround) -> None:
    """It says how many labels share each, asks for every mailbox once, and names those that are denied."""
    night, denied = await ground_of(ground, 12, 2, expire_after_calls=4)
    sessions = night.folder / "sessions.csv"
    head, *rows = sessions.read_text().splitlines()
    unknown = f"nobody,{rows[0].split(',', 1)[1].rpartition(',')[0]},99999"
    sessions.write_text("\n".join([head, *rows, unknown, ""]))
    checked = await night.run("check")
    assert checked.code == 1, checked.err
    found = {each["about"]: each for each in checked.json["findings"]}
    shared = [about for about in found if about.startswith("session")]
    assert shared == ["session mailbox-0001", "session mailbox-0007"]
    assert "7 labels share this credential; 5 of 7 mailboxes" in found[shared[0]]["said"]
    assert all(found[each]["good"] for each in shared)
    bad = [about for about, each in found.items() if not each["good"]]
    assert sorted(bad) == sorted(f"mailbox of {label}" for label in (*denied, "nobody"))
    for label in denied:
        assert "authorisation: " in found[f"mailbox of {label}"]["said"]
        assert "take the label out" in found[f"mailbox of {label}"]["said"]
    assert "network 300, mailbox 99999" in found["mailbox of nobody"]["said"]
    assert Counter(at(night, "WhoAmI")) == {"mailbox-0001": 1, "mailbox-0007": 1}
    refused = [one.session for one in night.simulator.log.arrivals if one.fault == "authorisation"]
    assert sorted(refused) == sorted(denied)
    assert night.simulator.control.state()["open_sessions"] == {}


async def test_a_key_that_sees_nothing_and_one_that_is_refused(ground: MakeGround) -> None:
    """The one is denied once a label, and one sentence says so; the other is sent three times; nobody else lacks."""
    population = Population(18, login_every=0, keys=3)
    night = await ground(
        population,
        CONFIG.format(binding="soap12", since="3h"),
        switches=switches(ex_scope="network"),
    )
    labels = list(population.credentials())
    for label in labels[:6]:
        night.simulator.change({"ex_scope": "none"}, label)
    for label in labels[6:12]:
        night.simulator.change({"fault_authentication": "always"}, label)
    ended = await night.run("run")
    assert (ended.code, ended.json["ok"]) == (1, 12), ended.err
    assert sum(ended.json["faults"].values()) == 24
    assert ended.json["faults"]["authorisation"] == 12
    (told,) = [
        line for line in ended.err.splitlines() if "every mailbox behind one credential" in line
    ]
    assert "mailbox-0001" in told
    assert len(ended.err.split("the service refuses the key")) == 2
    failed = night.table("calls").query("state == 'failed'")
    refused = failed[failed.fault_class == "credential"]
    assert refused.fault_text.str.contains("'mailbox-0007' and 5 other labels share").all()
    asked = Counter(at(night, "ReportInstantStatsEx"))
    assert [asked[label] for label in labels[:6]] == [1] * 6
    assert (
        sum(asked[label] for label in labels[6:12]) <= 3 + 3
    )  # four at once when the third refusal came
    status = await night.run("status")
    assert status.code in (0, 1), status.err


async def test_two_labels_of_one_mailbox(ground: MakeGround) -> None:
    """A warning names both before anything is asked, and the check of the answers does afterwards."""
    night, _ = await ground_of(ground, 4, 1, since="2h")
    sessions = night.folder / "sessions.csv"
    text = sessions.read_text()
    row = next(each for each in text.splitlines() if each.startswith("mailbox-0002"))
    sessions.write_text(f"{text.rstrip()}\n{row.replace('mailbox-0002', 'twin')}\n")
    ended = await night.run("run")
    assert "two labels ask for the same mailbox" in ended.err
    assert "mailbox-0002, twin" in ended.err
    assert ended.json["checks"] == {"one_label_a_mailbox": 4}


BAD_IDS = {
    "a mailbox without a network": (",300,10002", ",,10002", "mailbox_id needs network_id"),
    "negative": (",300,10002", ",300,-2", "mailbox_id"),
    "no number": (",300,10002", ",north,10002", "network_id"),
    "too large": (",300,10002", ",300,2147483648", "mailbox_id"),
}


@pytest.mark.parametrize("name", BAD_IDS)
@pytest.mark.few(2)
async def test_ids_that_are_none(ground: MakeGround, name: str) -> None:
    """Exit code 2 and a sentence with line, label and key; nothing is asked."""
    old, new, said = BAD_IDS[name]
    night, _ = await ground_of(ground, 4, 1)
    sessions = night.folder / "sessions.csv"
    sessions.write_text(sessions.read_text().replace(old, new))
    ended = await night.run("run")
    assert ended.code == 2, ended.err
    assert all(word in ended.json["error"] for word in (said, "line 3"))
    assert night.simulator.log.total == 0
