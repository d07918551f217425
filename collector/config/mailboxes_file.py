"""A sessions file for the mailboxes that the service lists: a new one, or the one that is there with what changed.

Knows the file as text, and neither the network nor the disk. What a line says that it does not understand stays.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Literal, NamedTuple

from collector.config.sessions_file import NAME, is_comment, separator_of
from collector.config.settings import SessionEntry
from collector.domain.mailboxes import Mailbox
from collector.errors import ConfigError

__all__ = ["MailboxRow", "MailboxRows", "Renamed", "mailbox_rows"]

_LONGEST_NAME: Final = 100  # characters
_LONGEST_WORDS: Final = 60  # characters of a label before the number
_GONE: Final = "gone"
_ASKED_ALREADY: Final = "asked already"
_NOT_MANAGED: Final = "not managed"
_NO_NETWORK: Final = "no network"
_ROOT: Final = "network or root"
_OUT_OF_USE: Final = ("suspended", "terminated")  # words for a status, in small letters
_REASONS: Final = (*_OUT_OF_USE, _GONE, _ASKED_ALREADY, _NOT_MANAGED, _NO_NETWORK, _ROOT)
_LEFT_OUT: Final = re.compile(rf"# ({'|'.join(_REASONS)}): (.*)", re.DOTALL)
_BY_HAND: Final = re.compile(r"# *(.*)", re.DOTALL)
_CREDENTIAL: Final = ("api_key", "login_name", "password")
# a cell that begins so is a formula for a spreadsheet, or a comment
_FORMULA: Final = "=+-@# "

_BOM: Final = "\ufeff"

_Key = tuple[int | None, int]  # network, mailbox


class MailboxRow(NamedTuple):
    """A mailbox that was listed or is in the file.

    Attributes:
        name: on one line, without characters that control how it is shown.
        reason: why it is a comment; "" for one that is asked about.
    """

    label: str
    network_id: int | None
    mailbox_id: int
    name: str
    reason: str = ""


class Renamed(NamedTuple):
    """A mailbox whose name is another one than the file says."""

    row: MailboxRow
    was: str


@dataclass(slots=True)
class MailboxRows:
    """What a sessions file is to be.

    Attributes:
        text: all of it.
        differs: it is another one than was there.
        rows: how many listed mailboxes have a row.
        new: they have a row now.
        gone: not listed any more: their rows are comments now, which keep their labels.
        renamed: their labels stay.
        left_out: listed and a comment, with the reason.
        out_of_use: there was a row, which stays, though the service says what would make a new one a comment.
    """

    text: str
    differs: bool = False
    rows: int = 0
    new: list[MailboxRow] = field(default_factory=list)
    gone: list[MailboxRow] = field(default_factory=list)
    renamed: list[Renamed] = field(default_factory=list)
    left_out: list[MailboxRow] = field(default_factory=list)
    out_of_use: list[MailboxRow] = field(default_factory=list)


def mailbox_rows(
    text: str | None,
    mailboxes: Sequence[Mailbox],
    credential: SessionEntry,
    sessions: Iterable[SessionEntry],
    network_id: int | None = None,
) -> MailboxRows:
    """The sessions file for mailboxes that were listed.

    Args:
        text: of the file that is there, which `read_sessions_file` can read; None if there is none.
        mailboxes: in the order in which new ones are written.
        credential: its references are those of the new rows.
        sessions: that stand beside the file, in the configuration itself.
        network_id: that was asked about; None if the answer says it.

    Raises:
        ConfigError: the file that is there has no column for something that a row must say.
    """
    references = {
        key: value for key in _CREDENTIAL if (value := getattr(credential, key)) is not None
    }
    columns: Sequence[str]
    if text is None:
        text_before, columns = "", ("label", *references, "network_id", "mailbox_id", NAME)
        lines = [_Line(",".join(columns) + "\n", None)]
        separator = ","
    else:
        text_before = text
        lines, columns, separator = _lines_of(text)
    missing = [name for name in (*references, "network_id", "mailbox_id") if name not in columns]
    if missing:
        raise ConfigError(
            f"its columns are {', '.join(columns)}: must have {', '.join(missing)} too; add them to its first line,"
            " or name another file"
        )
    form = _Form(columns, separator, "\r\n" if lines[0].raw.endswith("\r\n") else "\n")
    return _Merge(form, references, lines, sessions).merged(text_before, mailboxes, network_id)


@dataclass(slots=True)
class _Line:
    """What one row, comment or empty line of a file says.

    Attributes:
        raw: as it stands there, with its end.
        cells: by column; None for what is no session, such as a comment by hand, or the line of columns.
        reason: of a comment that this module wrote, whose cells these are.
        is_by_hand: a row that somebody made a comment.
    """

    raw: str
    cells: dict[str, str] | None
    reason: str = ""
    is_by_hand: bool = False

    @property
    def key(self) -> _Key | None:
        """The mailbox that it is about; None if it is about none, or about an ECGridID of one."""
        cells = self.cells or {}
        mailbox_id, network_id = _number(cells.get("mailbox_id")), _number(cells.get("network_id"))
        if mailbox_id is None or cells.get("ecgrid_id"):
            return None
        return network_id, mailbox_id


@dataclass(frozen=True, slots=True)
class _Form:
    """How the rows of a file are written."""

    columns: Sequence[str]
    separator: str
    end: str

    def row(self, cells: Mapping[str, str]) -> str:
        """A row with its end; cells that have no column are left out."""
        row = self._row(cells, csv.QUOTE_MINIMAL)
        return self._row(cells, csv.QUOTE_ALL) if is_comment(row) else row

    def _row(self, cells: Mapping[str, str], quoting: Literal[0, 1]) -> str:
        written = io.StringIO()
        writer = csv.writer(
            written, delimiter=self.separator, lineterminator=self.end, quoting=quoting
        )
        writer.writerow([cells.get(column, "") for column in self.columns])
        return written.getvalue()


def _lines_of(text: str) -> tuple[list[_Line], Sequence[str], str]:
    """The lines of a file, its columns, and what separates them."""
    text = text.removeprefix(_BOM)
    head = next((each for each in _split(text) if each.strip() and not is_comment(each)), "")
    separator = separator_of(head)
    pending: list[str] = []

    def fed() -> Iterator[str]:
        for line in _split(text):
            pending.append(line)
            yield "\n" if is_comment(line) else line

    columns: list[str] = []
    lines = []
    for cells in csv.reader(fed(), delimiter=separator, strict=True, skipinitialspace=True):
        raw = "".join(pending)
        pending.clear()
        if not cells:
            lines.append(_comment(raw, columns, separator))
        elif not columns:
            columns = [each.strip() for each in cells]
            lines.append(_Line(raw, None))
        else:
            lines.append(_Line(raw, _by_column(columns, cells)))
    return lines, columns, separator


def _split(text: str) -> Iterable[str]:
    return io.StringIO(text, newline="")


def _comment(raw: str, columns: list[str], separator: str) -> _Line:
    """A comment: one of ours, a row that somebody made one, or anything else."""
    ours = _LEFT_OUT.fullmatch(raw)
    found = ours or _BY_HAND.fullmatch(raw)
    if not found or not columns:
        return _Line(raw, None)
    rest = found[2] if ours else found[1]
    try:
        cells = next(csv.reader([rest], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return _Line(raw, None)
    return _Line(raw, _by_column(columns, cells), found[1] if ours else "", is_by_hand=not ours)


def _by_column(columns: list[str], cells: list[str]) -> dict[str, str]:
    return {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}


def _number(cell: str | None) -> int | None:
    return int(cell) if cell and re.fullmatch("[0-9]{1,10}", cell, re.ASCII) else None


class _Merge:
    """Puts what was listed into the lines of a file."""

    def __init__(
        self,
        form: _Form,
        references: Mapping[str, str],
        lines: list[_Line],
        sessions: Iterable[SessionEntry],
    ) -> None:
        self._form = form
        self._references = references
        self._lines = lines
        self._there: dict[_Key, _Line] = {}
        for line in lines:
            # of a row and a comment for the same mailbox the row counts
            if line.key is not None and (line.key not in self._there or not self._is_comment(line)):
                self._there[line.key] = line
        beside = list(sessions)
        self._labels = {each.label for each in beside} | {
            line.cells.get("label", "") for line in lines if line.cells
        }
        self._asked_already = {
            (each.network_id, each.mailbox_id)
            for each in beside
            if each.mailbox_id is not None and each.ecgrid_id is None
        }

    @staticmethod
    def _is_comment(line: _Line) -> bool:
        return bool(line.reason) or line.is_by_hand

    def merged(
        self, before: str, mailboxes: Sequence[Mailbox], network_id: int | None
    ) -> MailboxRows:
        """The file, and what is different in it."""
        found = MailboxRows("")
        added = []
        for mailbox in mailboxes:
            line = self._there.get((mailbox.network_id, mailbox.mailbox_id))
            if line is None:
                added.append(self._added(mailbox, found))
            elif not line.is_by_hand:
                self._kept(line, mailbox, found)
        networks: set[int | None] = {network_id}
        if network_id is None:
            networks = {each.network_id for each in mailboxes}
        listed = {(each.network_id, each.mailbox_id) for each in mailboxes}
        for line in self._lines:
            if self._is_gone(line, listed, networks):
                self._leave_out(line, found)
        if added and not self._lines[-1].raw.endswith(("\n", "\r")):
            self._lines[-1].raw += self._form.end
        mark = _BOM if before.startswith(_BOM) else ""
        found.text = mark + "".join([*(line.raw for line in self._lines), *added])
        found.differs = found.text != before
        return found

    def _added(self, mailbox: Mailbox, found: MailboxRows) -> str:
        """The line of a mailbox that the file says nothing about."""
        reason = self._reason(mailbox)
        name = _shown(mailbox.name)
        row = MailboxRow(
            self._label(name, mailbox.mailbox_id),
            mailbox.network_id,
            mailbox.mailbox_id,
            name,
            reason,
        )
        (found.left_out if reason else found.new).append(row)
        found.rows += not reason
        network = "" if row.network_id is None else str(row.network_id)
        cells = {"label": row.label, "network_id": network, "mailbox_id": str(row.mailbox_id)}
        return self._written({**cells, **self._references, NAME: name}, reason)

    def _kept(self, line: _Line, mailbox: Mailbox, found: MailboxRows) -> None:
        """Bring the line of a mailbox up to date; its label stays."""
        cells = {**(line.cells or {})}
        reason, name, was = self._reason(mailbox), _shown(mailbox.name), cells.get(NAME, "")
        row = MailboxRow(
            cells.get("label", ""), mailbox.network_id, mailbox.mailbox_id, name, reason
        )
        if line.reason and not reason:
            found.new.append(row)
        elif line.reason:
            found.left_out.append(row)
        elif reason:
            found.out_of_use.append(row)
        found.rows += not (line.reason and reason)
        if NAME in self._form.columns and was != name:
            if was:
                found.renamed.append(Renamed(row, was))
            cells[NAME] = name
        comment = reason if line.reason else ""
        if cells != line.cells or comment != line.reason:
            line.raw = self._written(cells, comment)

    def _is_gone(self, line: _Line, listed: set[_Key], networks: set[int | None]) -> bool:
        """Whether a row is about a mailbox that this credential does not list any more; 0 is not only a mailbox."""
        if line.key is None or line.cells is None or self._is_comment(line):
            return False
        network, mailbox = line.key
        has = {key: line.cells[key] for key in _CREDENTIAL if line.cells.get(key)}
        return (
            mailbox != 0
            and network in networks
            and line.key not in listed
            and has == self._references
        )

    def _leave_out(self, line: _Line, found: MailboxRows) -> None:
        cells = line.cells or {}
        network, mailbox = line.key or (None, 0)
        found.gone.append(
            MailboxRow(cells.get("label", ""), network, mailbox, cells.get(NAME, ""), _GONE)
        )
        line.raw = self._written(cells, _GONE)

    def _written(self, cells: Mapping[str, str], reason: str) -> str:
        row = self._form.row(cells)
        return f"# {reason}: {row}" if reason else row

    def _reason(self, mailbox: Mailbox) -> str:
        """Why a mailbox is not asked about; "" if it is."""
        if mailbox.status.lower() in _OUT_OF_USE:
            return mailbox.status.lower()
        if mailbox.network_id is None:
            return _NO_NETWORK
        if mailbox.mailbox_id == 0:
            return _ROOT
        if (mailbox.network_id, mailbox.mailbox_id) in self._asked_already:
            return _ASKED_ALREADY
        return _NOT_MANAGED if mailbox.is_managed is False else ""

    def _label(self, name: str, mailbox_id: int) -> str:
        """A label that nobody has: the name in small letters, digits and dashes, and the number."""
        stem = f"{_words(name) or 'mailbox'}-{mailbox_id}"
        label = next(
            each
            for each in (f"{stem}-{number}" if number > 1 else stem for number in count(1))
            if each not in self._labels
        )
        self._labels.add(label)
        return label


def _words(name: str) -> str:
    """The letters, their marks and the digits of a name, with a dash for whatever stands between them."""
    kept: list[str] = []
    for character in unicodedata.normalize("NFKC", name).lower():
        kind = unicodedata.category(character)[0]
        if kind in "LN" or (kind == "M" and kept and kept[-1] != "-"):
            kept.append(character)
        elif kept and kept[-1] != "-":
            kept.append("-")
    return "".join(kept[:_LONGEST_WORDS]).rstrip("-")


def _shown(name: str) -> str:
    """A name on one line, without what controls how it is shown or what a spreadsheet would calculate."""
    plain = "".join(
        " " if unicodedata.category(each)[0] in "CZ" else each for each in name[: 4 * _LONGEST_NAME]
    )
    return " ".join(plain.split()).lstrip(_FORMULA)[:_LONGEST_NAME].rstrip()
