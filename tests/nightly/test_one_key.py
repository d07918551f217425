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
