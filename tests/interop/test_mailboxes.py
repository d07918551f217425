"""MailboxList and MailboxListEx on the real ASP.NET stack: what its serializer writes is what is read."""

import csv
from pathlib import Path

import pytest

from collector.domain.mailboxes import Mailbox
from collector.sessions.mailboxes import Listed, listed
from collector.wire.operations import MAILBOX_LIST_EX
from collector.wire.replies import Payload, open_reply
from tests.interop.bindings import BINDINGS, ask, request
from tests.interop.corpus import PAGE
from tests.interop.job import Job
from tests.interop.stack import RealStack

ODD, NONE, NULL = "990", "991", "992"
NAMES = [
    'Acme, "Orders"; Inc.',
    "Acme\nOrders\ttab",
    "Acme\nOrders",  # a conforming reader makes one of CR and LF
    "",
    "",
    "",
    "\u202eredro \u0645",
    "<b>&amp;",
    "\U0001f680 rocket",
    "a b",  # no XML: the serializer writes a reference all the same
    "x" * 5000,
]


def read(stack: RealStack, binding: str, network: str) -> Listed:
    """The mailboxes of a network, as the product reads them."""
    values = {"SessionID": "fake-key-0020", "NetworkID": network, "Name": ""}
    answer = ask(stack, request(binding, PAGE, "MailboxListEx", values))
    assert answer.content_type
    content = open_reply(MAILBOX_LIST_EX, answer.status, answer.content_type, answer.body)
    assert isinstance(content, Payload), content
    return listed(MAILBOX_LIST_EX, content, int(network))


@pytest.mark.parametrize("binding", BINDINGS)
def test_odd_mailboxes(real_stack: RealStack, binding: str) -> None:
    """Names with everything in them, absent ones, an entry that is null, and what is out of use."""
    found = read(real_stack, binding, ODD)
    named = [
        Mailbox(100 + number, 990, name, "Active", is_managed=True)
        for number, name in enumerate(NAMES)
    ]
    assert found.mailboxes == (
        Mailbox(0, 990, "Root", "Active", is_managed=True),
        *named,
        Mailbox(200, 990, "Suspended one", "Suspended", is_managed=True),
        Mailbox(201, 990, "Unmanaged one", "Active", is_managed=False),
    )
    assert found.unread == 0


@pytest.mark.parametrize("binding", BINDINGS)
def test_no_mailboxes(real_stack: RealStack, binding: str) -> None:
    """An empty array and a null one."""
    assert read(real_stack, binding, NONE) == read(real_stack, binding, NULL) == Listed((), 0)


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.few(1)
def test_a_sessions_file(real_stack: RealStack, tmp_path: Path, binding: str) -> None:
    """The command with a login: a row for each mailbox in use, with the references; nobody stays logged in."""
    real_stack.reset()
    job = Job(tmp_path, real_stack.url, binding, (60,), by_login=(20,))
    options = ("--key", "real-0020", "--network", ODD, "-o", str(tmp_path / "boxes.csv"))
    said = job.finished(job.started("mailboxes", *options))

    assert (said["exit_code"], said["listed"], said["rows"]) == (0, 14, 11)
    assert sorted(row["reason"] for row in said["left_out"]) == [
        "network or root",
        "not managed",
        "suspended",
    ]
    with (tmp_path / "boxes.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["label"].startswith("# ")]
    assert [int(row["mailbox_id"]) for row in rows] == list(range(100, 111))
    assert {row["login_name"] for row in rows} == {"env:TEST_LOGIN_20"}
    assert real_stack.open_sessions() == 0


def test_a_user_of_mailbox_level(real_stack: RealStack, tmp_path: Path) -> None:
    """Access Denied is told, with what to do."""
    job = Job(tmp_path, real_stack.url, "soap12", (60,), by_key=(1,))
    said = job.finished(job.started("mailboxes", "--key", "real-0001"))
    assert said["exit_code"] == 1
    assert "Access Denied" in said["error"]
    assert "ask for that right" in said["error"]
    assert not (tmp_path / "mailboxes.csv").exists()
