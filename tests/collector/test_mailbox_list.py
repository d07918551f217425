"""What MailboxList answers, in every binding: read whole, whatever else stands in it."""

import pytest

from collector.domain.binding import Binding
from collector.domain.mailboxes import Mailbox
from collector.errors import WireError
from collector.sessions.mailboxes import Listed, listed
from collector.wire.operations import MAILBOX_LIST, MAILBOX_LIST_EX
from collector.wire.replies import Payload, open_reply
from tests.collector.replies_by_hand import BINDINGS, ECGRID, NAMESPACES, TYPES, envelope

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def entry(mailbox_id: object, network_id: object = 314, more: str = "") -> str:
    """One MailboxIDInfo."""
    ids = f"<MailboxID>{mailbox_id}</MailboxID><NetworkID>{network_id}</NetworkID>"
    return f"<MailboxIDInfo>{ids}{more}</MailboxIDInfo>"


def read(inside: str, binding: Binding = Binding.SOAP12, network_id: int | None = None) -> Listed:
    """The mailboxes of an answer whose result holds `inside`."""
    operation = MAILBOX_LIST if network_id is None else MAILBOX_LIST_EX
    name = operation.name
    if binding in NAMESPACES:
        result = f"<{name}Result {XSI}>{inside}</{name}Result>"
        body = envelope(f'<{name}Response xmlns="{ECGRID}">{result}</{name}Response>', binding)
    else:
        body = (
            f'<ArrayOfMailboxIDInfo xmlns="{ECGRID}" {XSI}>{inside}</ArrayOfMailboxIDInfo>'.encode()
        )
    content = open_reply(operation, 200, TYPES.get(binding, "text/xml; charset=utf-8"), body)
    assert isinstance(content, Payload)
    return listed(operation, content, network_id)


FULL = (
    "<Name>Acme &amp; Co</Name><Status>Suspended</Status><OwnerUserID><Name>owner</Name><MailboxID>1</MailboxID>"
    "</OwnerUserID><Managed>false</Managed><Unheard>of</Unheard><Name>second</Name>"
)


@pytest.mark.parametrize("binding", BINDINGS)
def test_fields(binding: Binding) -> None:
    """Those of the mailbox, not those of its owner; what nobody knows is passed over."""
    found = read(entry(2**31 - 1, more=FULL) + "<Unheard />" + entry(7), binding)
    assert found == Listed(
        (
            Mailbox(7, 314),
            Mailbox(2**31 - 1, 314, "Acme & Co", "Suspended", is_managed=False),
        ),
        0,
    )


@pytest.mark.parametrize("binding", BINDINGS)
def test_an_empty_list(binding: Binding) -> None:
    """No mailbox; an absent result is one too."""
    assert read("", binding) == Listed((), 0)


def test_a_null_list() -> None:
    """Absent over SOAP, nil over GET and POST."""
    absent = envelope(f'<MailboxListResponse xmlns="{ECGRID}" />')
    nil = f'<ArrayOfMailboxIDInfo xmlns="{ECGRID}" {XSI} xsi:nil="true" />'.encode()
    for body in (absent, nil):
        content = open_reply(MAILBOX_LIST, 200, "text/xml", body)
        assert isinstance(content, Payload)
        assert content.is_null
        assert listed(MAILBOX_LIST, content) == Listed((), 0)


@pytest.mark.parametrize(
    "bad", ["", "-1", "2147483648", "9" * 40, "1.5", "\u0663", "x", "<a>1</a>", "2718"]
)
def test_entries_without_a_number_of_their_own(bad: str) -> None:
    """They are counted and passed over; so is one that names a mailbox again."""
    found = read(entry(2718) + entry(bad) + "<MailboxIDInfo xsi:nil='true' />")
    assert found == Listed((Mailbox(2718, 314),), 1)


def test_an_entry_without_a_network() -> None:
    """It is of the one that was asked about, if one was."""
    inside = entry(7, "").replace("<NetworkID></NetworkID>", "") + entry(8, 315)
    assert [each.network_id for each in read(inside).mailboxes] == [None, 315]
    assert [each.network_id for each in read(inside, network_id=314).mailboxes] == [314, 315]


@pytest.mark.parametrize(
    ("said", "is_managed"),
    [("true", True), ("1", True), ("false", False), ("0", False), ("", None), ("maybe", None)],
)
def test_managed(said: str, is_managed: bool | None) -> None:
    """A boolean of XML Schema, or nothing known."""
    (found,) = read(entry(7, more=f"<Managed>{said}</Managed>")).mailboxes
    assert found.is_managed is is_managed


@pytest.mark.parametrize("code", [0, 1, 8, 11, 12, 14, 31, 0xFFFE, 0xFFFF])
def test_names_that_are_no_xml(code: int) -> None:
    """.NET writes a reference to any character; those that XML has stay what they are."""
    name = f"a&#x{code:X};b&#{code};c&#x{code:04x};d&#9;&#xD;&#x10FFFF;&#x1F600;e"
    (found,) = read(entry(7, more=f"<Name>{name}</Name>")).mailboxes
    assert found.name == "a b c d\t\r\U0010ffff\U0001f600e"


@pytest.mark.parametrize("binding", BINDINGS)
def test_a_large_list_is_read_whole(binding: Binding) -> None:
    """Not only the first and the last of its entries; and of each what is needed."""
    person = "<OwnerUserID>" + "<Name>x</Name><b>y</b>" * 20 + "</OwnerUserID>"
    inside = "".join(
        entry(number, more=f"<Name>n{number}</Name>{person}") for number in range(3_000)
    )
    assert len(inside) > 1 << 20
    found = read(inside, binding)
    assert [each.mailbox_id for each in found.mailboxes] == list(range(3_000))
    assert {each.name for each in found.mailboxes} == {f"n{number}" for number in range(3_000)}


@pytest.mark.parametrize(
    "body",
    [
        b"<SessionInfo />",
        b"<ArrayOfOther />",
        b"<!DOCTYPE a><ArrayOfMailboxIDInfo />",
        b"<ArrayOfMailboxIDInfo>",
        envelope(f'<MailboxListExResponse xmlns="{ECGRID}" />'),
    ],
)
def test_another_answer(body: bytes) -> None:
    """It is refused, as in every operation."""
    with pytest.raises(WireError):
        open_reply(MAILBOX_LIST, 200, "text/xml", body)
