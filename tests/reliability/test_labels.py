"""Labels are text: whatever stands in one harms no path, table, line, query or page, or is refused at load."""

import csv
import io
from pathlib import Path
from typing import Final

import pytest

from collector.config import load
from collector.errors import ConfigError
from collector.simulator import Simulator
from pipelines.cli import COMMANDS
from tests.nightly.ground import Ground, population

HARMLESS: Final = (
    "../x", "a/b", "/etc/passwd", "..", ".", "~", "C:\\x", "CON", "nul.txt", "-rf", "--help", "*",
    "'; drop table calls; --", '"; DROP TABLE calls; --', "$(touch pwned)", "`touch pwned`",
    "${HOME}", "%s %d %n", "{0} {label}", "<script>alert(1)</script>", "<!--", "]]>", "&amp;",
    '" onload="alert(1)', "=cmd|'/c calc'!A0", "+1", "@SUM(A1)", "a,b", 'a"b', "a'b", "a;b", "a=b",
    "NULL", "null", "None", "nan", "0", "1e9", "true", "", " leading", "trailing ", "#",
    "x" * 300, "\u05d0\u05d1\u05d2", "\u0645\u0631\u062d\u0628\u0627", "e\u0301", "\u00e9", "Z\u0334\u0300",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\ufeff", "\u00a0\u00a0x", "\u3000x",
)  # fmt: skip
REFUSED: Final = {
    "newline": "a\nb",
    "carriage return": "a\rb",
    "tab": "a\tb",
    "NUL": "a\0b",
    "escape": "\x1b[2J",
    "C1": "a\x9bb",
    "line separator": "a\u2028b",
    "right-to-left override": "a\u202egnp.exe",
    "isolate": "a\u2066b",
    "too long": "x" * 301,
    "blank": "   ",
    "ideographic space": "\u3000",
}
CONFIG: Final = """[limits]
requests_per_second = 500
per_session_per_second = 100
concurrency = 32
[windows]
minutes = [60, 120, 180]
"""
ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "sql": ("SELECT * FROM calls",),
    "prune": ("--older-than", "90d"),
}


def written(rows: list[list[str]]) -> str:
    """A CSV."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([["label", "api_key"], *rows])
    return stream.getvalue()


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("place", ["csv", "toml"])
def test_refused(name: str, place: str, tmp_path: Path) -> None:
    """With the key, the label in a form that is safe to print, and what would be right."""
    label, path = REFUSED[name], tmp_path / "ecgrid.toml"
    text = '[service]\nurl = "https://os.ecgrid.io/x.asmx"\n[windows]\nminutes = [60]\n'
    if place == "csv":
        text = 'sessions_file = "s.csv"\n' + text
        (tmp_path / "s.csv").write_text(written([[label, "env:A"]]), "utf-8", newline="")
    else:
        escaped = "".join(f"\\U{ord(character):08x}" for character in label)
        text += f'[[sessions]]\nlabel = "{escaped}"\napi_key = "env:A"\n'
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="label") as refused:
        load(path)
    said = str(refused.value)
    assert said.isprintable()
    assert "must" in said


@pytest.fixture
def labels() -> list[str]:
    """Each label once, as it is meant: white space around a cell is not part of it, and an empty cell is no label."""
    return [label for label in dict.fromkeys(map(str.strip, HARMLESS)) if label]


@pytest.mark.extended
async def test_a_night_of_odd_labels(labels: list[str], tmp_path: Path) -> None:
    """All of them in one run: the tables say what the configuration says, and no label went into a name."""
    folder = tmp_path / "work"
    folder.mkdir()
    async with Simulator(population(len(labels), 0)) as simulator:
        night = Ground(folder, simulator, CONFIG)
        keys = [
            line.split(",")[1] for line in (folder / "sessions.csv").read_text().splitlines()[1:]
        ]
        spelled = {label.strip(): label for label in HARMLESS}
        rows = [[spelled[label], key] for label, key in zip(labels, keys, strict=True)]
        (folder / "sessions.csv").write_text(written(rows), "utf-8", newline="")
        checked = await night.run("check")
        assert checked.code == 0, checked.err
        about = {finding["about"] for finding in checked.json["findings"]}
        assert {f"session {label}" for label in labels} <= about
        ended = await night.run("run")
        assert ended.code == 0, ended.err
        assert ended.json["ok"] == 2 * len(labels)
        for name in COMMANDS:
            if name not in {"init", "demo", "simulate", "check", "run", "collect", "mailboxes"}:
                other = await night.run(name, "--verbose", *ARGUMENTS.get(name, ()))
                assert other.code == 0, (name, other.err)
    for table in ("calls", "instant_stats", "sessions", "raw"):
        assert set(night.table(table)["session"]) == set(labels), table
    assert_untouched(tmp_path, labels)


def assert_untouched(folder: Path, labels: list[str]) -> None:
    """Nothing beside what a night writes, no name made of a label, no page with a tag of one."""
    assert {path.name for path in folder.iterdir()} == {"work"}
    work = {path.name for path in (folder / "work").iterdir()}
    assert work <= {"data", "ecgrid.toml", "sessions.csv"}
    odd = [label for label in labels if len(label) > 3]
    for path in folder.rglob("*"):
        assert not [label for label in odd if label in path.name], path
        if path.suffix in (".html", ".htm", ".svg"):
            page = path.read_text("utf-8")
            assert "<script>alert" not in page
            assert 'onload="alert' not in page
