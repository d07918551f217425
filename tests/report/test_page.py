"""The page of a lake: every number is what its query gives, and every lake has one."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import lxml.html
import pytest

from collector.domain.outcomes import FaultClass
from pipelines.lake import Lake
from pipelines.read import OpenLake
from pipelines.report import page_of
from pipelines.report.advice import FOR_FAULT
from pipelines.report.text import plain
from tests.report.conftest import LAST, Program, answers
from tests.report.lakes import HOSTILE, Call, Span, lay, run_id


def parsed(page: Path) -> Any:
    """The page as a tree of HTML."""
    return lxml.html.fromstring(page.read_text(encoding="utf-8"))


def words(tree: Any) -> str:
    """What a person reads, in one line."""
    for each in tree.xpath("//style|//pre|//svg"):
        each.drop_tree()
    return " ".join(tree.text_content().split())


def made(root: Path, **options: Any) -> str:
    """What a person reads on the page of a lake."""
    return words(lxml.html.fromstring(page_of(OpenLake(Lake(root / "lake")), **options).html))


def comparable(value: Any) -> Any:
    """A value of `sql --json` as the page shows it."""
    if value is None:
        return "-"
    if isinstance(value, int | float):
        return float(value)
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return plain(value)
    is_whole = not (when.second or when.microsecond)
    return (
        value if len(value) == 10 else when.strftime("%Y-%m-%d %H:%M" + ("" if is_whole else ":%S"))
    )


def as_shown(text: str) -> Any:
    """A cell of the page, to be compared with that."""
    bare = text.strip().replace(",", "")
    return float(bare) if re.fullmatch(r"-?\d+(\.\d+)?", bare) else text.strip()


def test_every_number_is_what_its_query_gives(month: Path, page: Path) -> None:
    """The queries that stand on the page, asked by `sql` unchanged: all cells, and every number in a sentence."""
    tree = parsed(page)
    queries = {
        each.get("data-query"): each.text_content() for each in tree.xpath("//pre[@data-query]")
    }
    rows = dict(zip(queries, answers(month, list(queries.values())), strict=True))
    tables = tree.xpath("//table[@data-figure]")
    assert {each.get("data-figure") for each in tables} | {"mailboxes", "hours"} == set(queries)
    lines = tree.xpath("//pre[@data-lines='hours']")[0].text_content().splitlines()
    columns, *hours = (line.split(",") for line in lines)
    assert len(hours) == 4 * 168
    assert [[as_shown(cell or "-") for cell in line] for line in hours] == [
        [comparable(row[column]) for column in columns] for row in rows["hours"]
    ]
    for table in tables:
        name = table.get("data-figure")
        columns = [each.get("data-column") for each in table.xpath(".//thead//th[@data-column]")]
        shown = [
            [as_shown(cell.text_content()) for cell in row.xpath("./*[not(contains(@class, 'h'))]")]
            for row in table.xpath(".//tbody/tr")
        ]
        assert shown == [[comparable(row[column]) for column in columns] for row in rows[name]], (
            name
        )
        assert shown, name
    numbers = tree.xpath("//data[@data-from]")
    assert len(numbers) > 15
    for number in numbers:
        name, row, column = number.get("data-from").split("/")
        value = rows[name][int(row)][column]
        assert float(number.get("value")) == value
        assert as_shown(number.text_content()) == comparable(value)


def test_what_is_drawn_is_what_the_query_gave(month: Path, page: Path) -> None:
    """The hours of a mailbox are drawn where they are: all that is exact, bounded, unseen."""
    tree = parsed(page)
    sql = tree.xpath("//pre[@data-query='worst']")[0].text_content()
    (rows,) = answers(month, [sql])
    drawings = tree.xpath("//table[@data-figure='worst']//svg")
    assert len(drawings) == len(rows) == 6
    for drawing, row in zip(drawings, rows, strict=True):
        seen = ["."] * 168
        for each in drawing.xpath(".//*[local-name()='rect']"):
            first, width = int(each.get("x")) // 4, int(each.get("width")) // 4
            seen[first : first + width] = "u" * width
        for path in drawing.xpath(".//*[local-name()='path']"):
            for x, width in re.findall(r"M(\d+) \d+h(\d+)V", path.get("d")):
                first, hours = int(x) // 4, int(width) // 4
                seen[first : first + hours] = path.get("class") * hours
        assert "".join(seen) == row["hours"]


def test_the_first_screen_says_it(page: Path) -> None:
    """Did it run, is the history complete, what failed and why, what to do."""
    said = words(parsed(page))
    assert "Not as it should: stopped early: not all calls were made." in said
    assert "9 ok + 0 empty + 6 failed + 3 not attempted = 18 calls of 6 mailboxes" in said
    assert "No run in the night of 2026-01-27" in said
    assert "72 hours of 2 of 6 mailboxes are unseen" in said
    assert "of which 96 are lost" in said
    assert "3 calls of 1 mailboxes: authentication, “<script>alert('x')</script>" in said
    assert "authentication: Mend the key or password" in said
    assert "server: Run ecgrid-stats run again" in said
    assert "Calls that were not made: ecgrid-stats run again." in said
    assert "Nights without a run: see whether cron" in said
    assert "Unseen hours: the next ecgrid-stats run asks for them again" in said
    assert "Lost hours" in said
    assert "Newly silent mailboxes" in said
    assert "all is well" not in said


def test_who_changed(page: Path) -> None:
    """Newly silent, newly and still failing, new."""
    tree = parsed(page)
    found = {
        tuple(cell.text_content() for cell in row.xpath("./*"))[0:3:2]
        for name in ("failing", "moved")
        for row in tree.xpath(f"//table[@data-figure='{name}']//tbody/tr")
    }
    assert {
        ("newly failing", "hurt"),
        ("newly failing", "beta"),
        ("new", "late"),
        ("still failing", plain(HOSTILE)),
        ("newly silent", "gone"),
    } <= found
    assert ("newly silent", "late") not in found  # there is no week before


def test_hostile_text_stays_text(page: Path) -> None:
    """Labels and faults: no element, no attribute, no direction, and a sane length."""
    text = page.read_text(encoding="utf-8")
    tree = parsed(page)
    assert not tree.xpath(
        "//script|//*[@onload]|//*[@onerror]|//img|//link|//iframe|//object|//form"
    )
    assert "\u202e" not in text
    assert max(len(cell.text_content()) for cell in tree.xpath("//td|//th|//bdi|//title")) < 1_000
    assert len(plain(HOSTILE)) == 120
    assert text.count("default-src 'none'; style-src 'unsafe-inline'") == 1
    assert set(re.findall(r"""(?:src|href|action)=["']?([^"'>]*)""", text)) == {
        "#todo",
        "index.html",
    }


def test_the_same_lake_gives_the_same_bytes(
    month: Path, page: Path, tmp_path: Path, program: Program
) -> None:
    """At another time, in another process, somewhere else."""
    elsewhere = tmp_path / "page.html"
    code, found, _ = program("report", "-c", str(month), "-o", str(elsewhere))
    assert (code, found["page"], found["index"], found["runs"]) == (0, str(elsewhere), None, 13)
    assert elsewhere.read_bytes() == page.read_bytes()
    assert elsewhere.stat().st_mode & 0o777 == 0o600


def test_so_many_nights(month: Path) -> None:
    """`--nights` is how far back the page looks, and no night is before the first run."""
    root = month.parent / "data"
    assert "The last 3 nights" in made(root, nights=3)
    assert "No run in" not in made(root, nights=3)
    assert "The last 30 nights" in made(root, nights=90)


def test_deadline_and_resume_window(month: Path) -> None:
    """They are said where they are known."""
    said = made(month.parent / "data", deadline_seconds=18_000.0, resume_seconds=21_600.0)
    assert "asked for 21.1 s of at most 5 h 0 min (run.deadline_seconds)" in said
    assert "It resumes this run until 2026-01-30 08:15 UTC" in said


def test_a_good_night_has_nothing_to_do(tmp_path: Path) -> None:
    """One session, all of it known."""
    lay(tmp_path, [0, 1], ["acme"])
    said = made(tmp_path)
    assert "Yes: every call was answered." in said
    assert "Yes: in the last seven days, no hour of 1 mailboxes is unseen." in said
    assert "Nothing of what was asked in this run." in said
    assert "Nothing: all is well." in said


def test_hours_after_the_last_known_edge_are_unseen(tmp_path: Path) -> None:
    """A mailbox that was refused for two nights has no rows of them; the page knows that others have."""

    def call(night: int, session: str) -> Call:
        return Call("failed", "authentication") if session == "beta" and night >= 2 else Call()

    def span(night: int, session: str, hour: int) -> Span | None:
        return None if session == "beta" and night >= 2 else Span(hour)

    lay(tmp_path, [0, 1, 2, 3], ["acme", "beta"], call, span)
    html = page_of(OpenLake(Lake(tmp_path / "lake"))).html
    tree: Any = lxml.html.fromstring(html)
    drawn = tree.xpath("//table[@data-figure='worst']//tr[th = 'beta']//rect")
    assert [(each.get("class"), each.get("width")) for each in drawn] == [("u", f"{4 * 48}")]
    said = words(tree)
    assert "No: in the last seven days, 48 hours of 1 of 2 mailboxes are unseen." in said
    assert "the service can answer for the oldest until 2026-01-24 20:07 UTC" in said


def test_a_missed_night_that_was_healed_is_nothing_to_do(tmp_path: Path) -> None:
    """It is told as long as it is on the page; what to do is to look why the last night had no run."""
    lay(tmp_path, [0, 1, 3, 4], ["acme"])
    assert "No run in the night of 2026-01-03." in made(tmp_path)
    assert "Nothing: all is well." in made(tmp_path)
    lay(tmp_path / "other", [0, 1, 3], ["acme"])
    assert "Nights without a run: see whether" in made(tmp_path / "other")


def test_a_lake_without_runs(tmp_path: Path) -> None:
    """It says so, and what to do."""
    (tmp_path / "lake").mkdir()
    found = page_of(OpenLake(Lake(tmp_path / "lake")))
    assert (found.run_id, found.runs) == (None, 0)
    assert "nothing is published in this lake" in made(tmp_path)
    assert "ecgrid-stats check" in made(tmp_path)


def test_a_lake_without_history(tmp_path: Path) -> None:
    """Not one call was answered."""
    lay(tmp_path, [0], ["acme"], lambda *_: Call("failed", "transport", "refused"), lambda *_: None)
    said = made(tmp_path)
    assert "Not as it should: not one call was answered." in said
    assert "There is none of the last five weeks" in said
    assert "Traffic by the hour" not in said


def test_a_run_that_had_nothing_to_ask(tmp_path: Path) -> None:
    """It has no row in the ledger, and is no night without a run."""
    lay(tmp_path, [0, 1, 2], ["acme"], lambda night, _: Call() if night < 2 else None)
    said = made(tmp_path)
    assert "Yes: nothing was missing, so nothing was asked." in said
    assert "No run in" not in said


def test_trailing_windows_only(tmp_path: Path) -> None:
    """What is unseen is not asked for again, and the page does not promise it."""
    lay(
        tmp_path,
        [0, 1],
        ["acme"],
        span=lambda night, _session, hour: Span(None if night else hour),
        trailing=True,
    )
    said = made(tmp_path)
    assert "with windows.minutes no run asks for them again" in said
    assert "the next ecgrid-stats run asks" not in said


def test_what_a_run_healed(tmp_path: Path) -> None:
    """What failed the night before, and of a night nobody ran, the older day; not what no run could ask before."""

    def call(night: int, session: str) -> Call | None:
        if session == "late" and night < 3:
            return None
        return Call("failed", "server") if (session, night) == ("beta", 1) else Call()

    def span(night: int, session: str, hour: int) -> Span:
        is_late = night == 2 or session == "late" or (session, night) == ("beta", 1)
        return Span(hour, by=3 if is_late else None)

    lay(tmp_path, [0, 1, 3], ["acme", "beta", "late"], call, span)
    assert "72 hours of earlier nights were healed by this run." in made(tmp_path)


def test_every_class_of_fault_has_advice() -> None:
    """A class that is added is given its sentence."""
    assert set(FOR_FAULT) == set(FaultClass)


@pytest.mark.parametrize(
    "text", ["", "a\x00b\x1b[31m", "\u2067x\u2069", "x" * 100_000, "\ud800", "a\r\n\tb"]
)
def test_plain_is_one_short_line(text: str) -> None:
    """Whatever somebody wrote."""
    line = plain(text)
    assert len(line) <= 120
    assert line.isprintable()


def test_the_newest_run_is_named(page: Path) -> None:
    """In the file's name, and in the sentence that the index shows."""
    assert page.name == f"{run_id(LAST)}.html"
    described = parsed(page).xpath("//meta[@name='description']/@content")[0]
    assert described.startswith(
        "stopped early: not all calls were made; 6 of 18 calls failed, 3 not made; 2 of 6"
    )
