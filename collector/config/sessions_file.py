"""Reads the CSV file that `sessions_file` names. Knows the file's form, and nothing of what makes a session valid."""

import csv
import difflib
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from collector.errors import ConfigError

__all__ = [
    "COLUMNS",
    "NAME",
    "NUMBERS",
    "SessionsFile",
    "is_comment",
    "read_sessions_file",
    "separator_of",
]

NUMBERS: Final = ("network_id", "mailbox_id", "ecgrid_id")
NAME: Final = "name"  # of the mailbox, for those who read the file; not read
COLUMNS: Final = ("label", "api_key", "login_name", "password", *NUMBERS, NAME)
_SEPARATORS: Final = {",": "commas", ";": "semicolons", "\t": "tabs"}
_NOT_SHOWN: Final = "(not shown)"
_MAX_DIGITS: Final = 20  # more than any number that is allowed; the rest stays text and is refused


class SessionsFile(NamedTuple):
    """The sessions of a CSV file.

    Attributes:
        rows: the cells of each session that are not empty, by column.
        lines: the line of the file on which each row ends, counted from 1.
    """

    path: Path
    rows: list[dict[str, str | int]]
    lines: list[int]


def read_sessions_file(path: Path) -> SessionsFile:
    """The rows of a sessions file whose cells are separated by commas, semicolons or tabs, as its first line shows.

    White space around a cell is not part of it. A row of empty cells is passed over, and so is a comment, also above
    the first line: one that begins with "# " (a label that begins so stands in quotes).

    Raises:
        ConfigError: the file cannot be read, is not CSV in UTF-8, has an unknown column or none called `label`, or a
            row has more cells than there are columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            above, head = 0, file.readline()
            while is_comment(head):
                above, head = above + 1, file.readline()
            separator = separator_of(head)
            reader = csv.DictReader(
                itertools.chain([head], _without_comments(file)),
                delimiter=separator,
                strict=True,
                skipinitialspace=True,
            )
            reader.fieldnames = columns = [name.strip() for name in reader.fieldnames or ()]
            _check_columns(path, above + 1, columns, separator)
            return _rows_of(path, reader, above, separator)
    except OSError as error:
        raise ConfigError(
            f"sessions_file {path}: cannot be read ({error.strerror}); must be a CSV file that this user may read"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"sessions_file {path}: not a CSV file in UTF-8; save it as CSV UTF-8"
        ) from error
    except csv.Error as error:
        raise ConfigError(
            f"sessions_file {path}: not a CSV file ({error}); is a quote opened there and not closed?"
        ) from error


def is_comment(line: str) -> bool:
    """Whether a line of the file is none of its rows."""
    return line.startswith("# ") or line.rstrip("\r\n") == "#"


def _without_comments(file: Iterable[str]) -> Iterator[str]:
    """The lines, an empty one in the place of each comment, so that they can be counted."""
    return ("\n" if is_comment(line) else line for line in file)


def separator_of(head: str) -> str:
    """The separator by which the first line has the most known columns; the comma if that does not tell."""

    def known_columns(separator: str) -> int:
        names = next(csv.reader([head], delimiter=separator, skipinitialspace=True), [])
        return sum(name.strip() in COLUMNS for name in names)

    return max(_SEPARATORS, key=known_columns)


def _check_columns(path: Path, line: int, columns: list[str], separator: str) -> None:
    is_known = set(columns) <= set(COLUMNS) and "label" in columns
    if is_known and len(set(columns)) == len(columns):
        return
    # a file without its line of columns begins with a session: what resembles no column may be a credential
    shown = [
        name if difflib.get_close_matches(name.lower(), COLUMNS) else _NOT_SHOWN for name in columns
    ]
    headless = "; is the line of columns missing?" if set(shown) <= {_NOT_SHOWN} else ""
    raise ConfigError(
        f"sessions_file {path}, line {line}: columns {', '.join(shown) or '(none)'}, separated by"
        f" {_SEPARATORS[separator]}: must be label and any of {', '.join(COLUMNS[1:])}, each once, in small letters,"
        f" separated by commas, semicolons or tabs{headless}"
    )


def _rows_of(path: Path, reader: "csv.DictReader[str]", above: int, separator: str) -> SessionsFile:
    """The rows below the line of columns, which has so many lines above it."""
    columns = len(reader.fieldnames or ())
    others = [each for each in _SEPARATORS if each != separator]
    found = SessionsFile(path, [], [])
    for row in reader:
        line = above + reader.line_num
        where = f"sessions_file {path}, line {line}"
        if None in row:
            raise ConfigError(
                f"{where}: {columns + len(row[None])} cells; must be at most {columns}, one for each column of line"
                f" {above + 1}"
            )
        cells = {name: cell.strip() for name, cell in row.items() if cell and cell.strip()}
        if not cells:
            continue
        text = "".join(cells.values())
        if len(cells) == 1 and any(each in text for each in others):
            # a whole session in one cell, its credential too: nothing of it is shown
            raise ConfigError(
                f"{where}: must have its cells separated by {_SEPARATORS[separator]}, as the first line has"
            )
        found.rows.append(
            {name: _value(name, cell) for name, cell in cells.items() if name != NAME}
        )
        found.lines.append(line)
    return found


def _value(column: str, cell: str) -> str | int:
    """The number in a cell of a column of numbers; what is none stays text, for the validator to refuse."""
    is_number = column in NUMBERS and re.fullmatch(f"-?[0-9]{{1,{_MAX_DIGITS}}}", cell)
    return int(cell) if is_number else cell
