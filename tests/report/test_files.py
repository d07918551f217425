"""Where pages are: written whole, an index beside them, old ones gone; and what cannot be written changes nothing."""

import errno
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from collector.config import Settings, load
from pipelines.errors import ReportError
from pipelines.job.reporting import report, report_if_wanted
from pipelines.report import Page, files, write_page
from tests.nightly.conftest import MakeGround, ground
from tests.nightly.ground import population
from tests.report.conftest import Program
from tests.report.lakes import FIRST, lay, run_id, written_config

__all__ = ["ground"]  # a fixture


def page_of_night(night: int) -> Page:
    """A page that says something hostile of itself."""
    return Page(run_id(night), 1, f'<meta name="description" content="night {night} &lt;b&gt;">')


def names(folder: Path) -> set[str]:
    """What is in a folder."""
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a lake of two nights."""
    lay(tmp_path / "data", [0, 1], ["acme"])
    return load(written_config(tmp_path))


def test_pages_are_kept_for_ninety_days(tmp_path: Path) -> None:
    """The index has them all, newest first, and what is not ours stays."""
    (tmp_path / "notes.html").touch()
    for night in (0, 9, 10, 50, 100):
        write_page(page_of_night(night), tmp_path)
    kept = [run_id(night) for night in (100, 50, 10)]
    assert names(tmp_path) == {"index.html", "notes.html", *(f"{each}.html" for each in kept)}
    index = (tmp_path / "index.html").read_text()
    assert sorted(kept, key=index.index) == kept
    assert "night 50 &lt;b&gt;" in index
    assert f"{FIRST + timedelta(days=50):%Y-%m-%d %H:%M}" in index
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("2*.html")} == {0o600}


def test_a_disk_that_is_full_leaves_the_page_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no half of another."""
    before = write_page(page_of_night(1), tmp_path).page.read_bytes()

    def full(_path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "sync_file", full)
    with pytest.raises(OSError, match="No space left"):
        write_page(Page(run_id(1), 1, "something else"), tmp_path)
    assert names(tmp_path) == {"index.html", f"{run_id(1)}.html"}
    assert (tmp_path / f"{run_id(1)}.html").read_bytes() == before


def test_a_page_that_cannot_be_made_is_one_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong: a folder, or a mistake in the page."""

    def wrong(*_: Any) -> Page:
        raise RuntimeError("a mistake\nin the page")

    with structlog.testing.capture_logs() as told:
        (settings.storage.root / "reports").touch()
        assert report_if_wanted(settings) is None
        (settings.storage.root / "reports").unlink()
        monkeypatch.setattr("pipelines.report.page_of", wrong)
        assert report_if_wanted(settings) is None
    assert [line["log_level"] for line in told] == ["warning", "warning"]
    assert "cannot be written to" in told[0]["said"]
    assert told[1]["said"] == "a mistake in the page"


def test_it_is_made_unless_it_is_not_wanted(settings: Settings) -> None:
    """`report.enabled`, which is the default."""
    assert settings.report.enabled
    unwanted = settings.model_copy(
        update={"report": settings.report.model_copy(update={"enabled": False})}
    )
    assert report_if_wanted(unwanted) is None
    assert not (settings.storage.root / "reports").exists()
    written = report_if_wanted(settings)
    assert written is not None
    assert written.page == settings.storage.root / "reports" / f"{run_id(1)}.html"


def test_where_it_cannot_be_written_the_command_says_so(
    settings: Settings, program: Program, tmp_path: Path
) -> None:
    """Exit code 1 and a sentence; 2 for a wrong option."""
    with pytest.raises(ReportError, match="No such file or directory"):
        report(settings, output=tmp_path / "nowhere" / "page.html")
    (settings.storage.root / "reports").touch()
    config = str(tmp_path / "ecgrid.toml")
    code, found, _ = program("report", "-c", config)
    assert code == found["exit_code"] == 1
    assert found["error"].startswith(
        f"the page cannot be written to {settings.storage.root}/reports ("
    )
    assert program("report", "-c", config, "--nights", "0")[0] == 2


async def test_a_run_makes_it_and_does_not_depend_on_it(ground: MakeGround) -> None:  # the fixture
    """The page of the night; where it cannot be written, the same exit code and the same tables."""
    config = '[report]\nenabled = true\n[windows]\nevery = "1h"\nsince = "3h"\n'
    night = await ground(population(2, 0), config)
    first = await night.run("run")
    reports = night.folder / "data" / "reports"
    assert first.code == 0
    assert names(reports) == {"index.html", f"{first.json['run_id']}.html"}
    for path in reports.iterdir():
        path.unlink()
    reports.rmdir()
    reports.touch()
    second = await night.run("run")
    assert (second.code, second.json["failed"]) == (0, 0)
    assert second.err.count("the page was not made") == 1
    assert len(night.table("traffic_history")) == 2 * 3 * 4
    assert second.json["run_id"] != first.json["run_id"]
