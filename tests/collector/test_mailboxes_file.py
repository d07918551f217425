"""The sessions file of listed mailboxes: labels, reasons, and what stays of a file that is there."""

from pathlib import Path

import pytest

from collector.config import MailboxRows, SessionEntry, load, mailbox_rows
from collector.config.sessions_file import read_sessions_file
from collector.domain.mailboxes import Mailbox
from collector.errors import ConfigError

KEY = SessionEntry(label="net", api_key="env:NET")
LOGIN = SessionEntry(label="net", login_name="env:NAME", password="file:secrets/net")
HEAD = "label,api_key,network_id,mailbox_id,name\n"
ORDERS = Mailbox(2718, 314, "Acme Orders", "Active", is_managed=True)
INVOICES = Mailbox(2719, 314, "Acme Invoices", "Active", is_managed=True)
ROWS = f"{HEAD}acme-orders-2718,env:NET,314,2718,Acme Orders\n"


def rows(text: str | None, *mailboxes: Mailbox, entry: SessionEntry = KEY) -> MailboxRows:
    """The file for these mailboxes, where nothing else is configured."""
    return mailbox_rows(text, mailboxes, entry, ())


def label(name: str, mailbox_id: int = 2718) -> str:
    """The label of a mailbox of that name."""
    return rows(None, Mailbox(mailbox_id, 314, name)).new[0].label


def test_a_new_file() -> None:
    """A line of columns, and a row for each mailbox with the references of the credential."""
    assert rows(None, ORDERS).text == ROWS
    assert rows(None, ORDERS, entry=LOGIN).text == (
        "label,login_name,password,network_id,mailbox_id,name\n"
        "acme-orders-2718,env:NAME,file:secrets/net,314,2718,Acme Orders\n"
    )


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ('Acme, "Orders"; Inc.', "acme-orders-inc"),
        ("A\r\nB\tC", "a-b-c"),
        ("", "mailbox"),
        ("\u202e...\u200f", "mailbox"),
        ("\u202eredro", "redro"),
        ("=1+1", "1-1"),
        ("# no comment", "no-comment"),
        ("Straße & Söhne", "straße-söhne"),
        ("\uff21\uff23\uff2d\uff25", "acme"),
        ("e\u0301te\u0301", "été"),
        ("\u0301x", "x"),
        ("हिन्दी", "हिन्दी"),
        ("x" * 1000, "x" * 60),
    ],
)
def test_labels(name: str, stem: str) -> None:
    """Letters and digits of the name in small letters, and the number: the same every time, and a label."""
    assert label(name) == f"{stem}-2718" == label(name)
    SessionEntry(label=label(name), api_key="env:NET")


def test_labels_differ() -> None:
    """Mailboxes of one name, and a label that another session has already."""
    found = mailbox_rows(
        None,
        [ORDERS, Mailbox(2719, 314, "Acme Orders"), Mailbox(1, 314, "net")],
        KEY,
        [SessionEntry(label="net-1", api_key="env:X")],
    )
    assert [each.label for each in found.new] == ["acme-orders-2718", "acme-orders-2719", "net-1-2"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a,b", '"a,b"'),
        ('"a"', '"""a"""'),
        ("a\n# b,c\r\n\u2028d", '"a # b,c d"'),
        ("=HYPERLINK(x)", "HYPERLINK(x)"),
        ("\u202e+-@x\x00", "x"),
        ("y" * 1000, "y" * 100),
    ],
)
def test_names_in_the_file(name: str, shown: str, tmp_path: Path) -> None:
    """On one line, without what a terminal, a spreadsheet or this program takes for something else; read back whole."""
    found = rows(None, Mailbox(7, 1, name), ORDERS)
    assert found.text.splitlines()[1].endswith(f",env:NET,1,7,{shown}")
    path = tmp_path / "s.csv"
    path.write_text(found.text)
    assert [row["mailbox_id"] for row in read_sessions_file(path).rows] == [7, 2718]
    assert not rows(found.text, Mailbox(7, 1, name), ORDERS).differs


LEFT_OUT = {
    "suspended": Mailbox(7, 1, "a, b", "Suspended"),
    "terminated": Mailbox(7, 1, "a, b", "TERMINATED"),
    "not managed": Mailbox(7, 1, "a, b", "Active", is_managed=False),
    "network or root": Mailbox(0, 1, "a, b", "Active"),
    "no network": Mailbox(7, None, "a, b", "Active"),
}


@pytest.mark.parametrize("reason", LEFT_OUT)
def test_mailboxes_that_are_not_asked_about(reason: str, tmp_path: Path) -> None:
    """They are comments with the reason, which configure no session; a status that nobody knows is no reason."""
    found = rows(None, LEFT_OUT[reason], ORDERS, Mailbox(8, 1, "c", "Preproduction"))
    assert [each.reason for each in found.left_out] == [reason]
    comment = found.text.splitlines()[1]
    assert comment.startswith(f"# {reason}: a-b-")
    assert comment.endswith('"a, b"')
    path = tmp_path / "s.csv"
    path.write_text(found.text)
    assert [row["label"] for row in read_sessions_file(path).rows] == ["acme-orders-2718", "c-8"]


def test_a_mailbox_that_the_configuration_names_is_not_asked_twice() -> None:
    """Its row is a comment; an ECGridID of it is something else."""
    own = [
        SessionEntry(label="acme", api_key="env:X", network_id=314, mailbox_id=2718),
        SessionEntry(label="id", api_key="env:X", network_id=314, mailbox_id=2719, ecgrid_id=5),
    ]
    found = mailbox_rows(None, [ORDERS, INVOICES], KEY, own)
    assert [each.reason for each in found.left_out] == ["asked already"]
    assert [each.mailbox_id for each in found.new] == [2719]


def test_what_is_new_is_added() -> None:
    """Below the rows that are there, of which not a byte is changed: comments, other keys, odd spacing."""
    text = (
        "\ufeff# by hand\r\n"
        "network_id; mailbox_id;label;api_key\r\n"
        '314;2718;" Orders of Acme";env:NET\r\n'
        "\r\n"
        "#\r\n"
        ";;#1 store;env:OTHER\r\n"
        "314;0;all;env:NET\r\n"
        "# 314;2719;invoices;env:NET\r\n"
        "315;9;other;env:NET"
    )
    found = rows(text, ORDERS, INVOICES, Mailbox(2720, 314, "Returns; EU"))
    assert found.text == f"{text}\r\n314;2720;returns-eu-2720;env:NET\r\n"
    assert [each.label for each in found.new] == ["returns-eu-2720"]
    assert not any((found.gone, found.renamed, found.left_out))
    assert not rows(found.text, ORDERS, INVOICES, Mailbox(2720, 314, "Returns; EU")).differs


def test_a_renamed_mailbox_keeps_its_label() -> None:
    """The label is its history: only the name beside it changes."""
    found = rows(ROWS, Mailbox(2718, 314, "Zenith"))
    assert found.text == f"{HEAD}acme-orders-2718,env:NET,314,2718,Zenith\n"
    assert [(each.row.label, each.row.name, each.was) for each in found.renamed] == [
        ("acme-orders-2718", "Zenith", "Acme Orders")
    ]
    assert found.new == found.gone == []


def test_a_gone_mailbox_keeps_its_label() -> None:
    """Its row becomes a comment, out of which it comes back as it was."""
    gone = rows(ROWS, INVOICES)
    assert [each.label for each in gone.gone] == ["acme-orders-2718"]
    assert "# gone: acme-orders-2718,env:NET,314,2718,Acme Orders\n" in gone.text
    assert not rows(gone.text, INVOICES).differs
    back = rows(gone.text.replace("acme-orders", "by-hand"), ORDERS, INVOICES)
    assert [each.label for each in back.new] == ["by-hand-2718"]
    assert "\nby-hand-2718,env:NET,314,2718,Acme Orders\n" in back.text


@pytest.mark.parametrize(
    "row",
    [
        "mine,env:OTHER,314,5,",
        "mine,env:NET,315,5,",
        "mine,env:NET,314,0,",
        "mine,env:NET,314,,",
        "mine,env:NET,,,",
    ],
    ids=["another key", "another network", "scope", "network", "own mailbox"],
)
def test_rows_that_are_not_gone(row: str) -> None:
    """What this credential would not list in this network stays."""
    found = rows(f"{ROWS}{row}\n", ORDERS)
    assert not found.differs
    assert found.gone == []


def test_a_network_that_was_asked_about() -> None:
    """A row of it is gone if no entry names it, though all entries are of other networks."""
    found = mailbox_rows(ROWS, [Mailbox(9, 315, "x")], KEY, (), 314)
    assert [each.mailbox_id for each in found.gone] == [2718]


def test_a_row_stays_though_its_mailbox_is_out_of_use() -> None:
    """It may have been put there by hand; it is named."""
    found = rows(ROWS, Mailbox(2718, 314, "Acme Orders", "Suspended"))
    assert not found.differs
    assert [each.reason for each in found.out_of_use] == ["suspended"]


def test_a_mailbox_that_is_in_use_again() -> None:
    """The comment becomes a row in its place; another reason another comment."""
    before = rows(None, Mailbox(2718, 314, "Acme Orders", "Suspended"), INVOICES).text
    other = rows(before, Mailbox(2718, 314, "Acme Orders", is_managed=False), INVOICES)
    assert other.text == before.replace("# suspended", "# not managed")
    again = rows(before, ORDERS, INVOICES)
    assert again.text == before.replace("# suspended: ", "")
    assert [each.mailbox_id for each in again.new] == [2718]


def test_a_row_that_was_made_a_comment_by_hand_stays_one() -> None:
    """With or without a space behind the sign, the latter being a label for the program."""
    text = ROWS.replace("\nacme", "\n# acme")
    assert not rows(text, ORDERS).differs


def test_labels_that_begin_like_comments() -> None:
    """A label that begins with a sign and a space stays in quotes when its row is written again."""
    text = f'{HEAD}"# 1 store",env:NET,314,2718,Old\n'
    assert rows(text, ORDERS).text == (f'{HEAD}"# 1 store","env:NET","314","2718","Acme Orders"\n')


def test_a_file_without_the_columns() -> None:
    """It says which are missing, and nothing is made of it."""
    with pytest.raises(ConfigError, match="must have network_id, mailbox_id too"):
        rows("label,api_key\na,env:A\n", ORDERS)
    with pytest.raises(ConfigError, match="must have login_name, password too"):
        rows(ROWS, ORDERS, entry=LOGIN)


def test_comments_in_a_sessions_file(tmp_path: Path) -> None:
    """A line that begins with a sign and a space is none; a sign alone begins a label, as does one in quotes."""
    (tmp_path / "s.csv").write_text(
        "# top, with; separators\n#\nlabel,api_key\n# a,env:A\n#1 store,env:B\n#b,env:C\n"
        '"# c",env:D\n d,env:E\n',
        encoding="utf-8",
    )
    config = tmp_path / "x.toml"
    config.write_text(
        'sessions_file = "s.csv"\n[service]\nurl = "https://host.invalid/x"\n[windows]\nminutes = [60]\n'
    )
    assert [each.label for each in load(config).sessions] == ["#1 store", "#b", "# c", "d"]


def test_lines_are_counted_with_comments(tmp_path: Path) -> None:
    """An error names the line of the file."""
    path = tmp_path / "s.csv"
    path.write_text("# one\nlabel,api_key\n# three\na,env:A,x\n")
    with pytest.raises(ConfigError, match=r"line 4: 3 cells; must be at most 2, .* of line 2"):
        read_sessions_file(path)
    path.write_text("# one\nlabl,api_key\n")
    with pytest.raises(ConfigError, match="line 2: columns labl"):
        read_sessions_file(path)
