from pathlib import Path
from typing import Any

import pytest
import structlog

from collector.config import Alert, Metrics, load, ping_url, watchers
from collector.errors import ConfigError
from pipelines.cli.logs import last_lines, set_up
from pipelines.job.exit_code import ExitCode
from pipelines.job.night import Night
from pipelines.job.watched import Watched

GOOD = """[service]
url = "https://host.invalid/x.asmx"
[windows]
minutes = [60]
[[sessions]]
label = "acme"
api_key = "env:KEY"
"""
ALERT = '[alert]\nping_url = "file:url"\nfailed_calls_above = 3\n[metrics]\ntextfile = "m/ecgrid.prom"\n'


def written(folder: Path, text: str) -> Path:
    """A configuration."""
    path = folder / "x.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_who_is_told(tmp_path: Path) -> None:
    """By default nobody; else as the file says, whatever else is wrong in it."""
    found = load(written(tmp_path, GOOD))
    assert (found.alert, found.metrics) == (Alert(), Metrics())
    told = (
        Alert(ping_url="file:url", failed_calls_above=3),
        Metrics(textfile=Path("m/ecgrid.prom")),
    )
    found = load(written(tmp_path, GOOD + ALERT))
    assert (found.alert, found.metrics) == told
    assert watchers(written(tmp_path, ALERT)) == told
    assert watchers(written(tmp_path, GOOD.replace("[60]", "[0]") + ALERT)) == told


@pytest.mark.parametrize(
    "text", ["[alert", "alert = 5", "[alert]\nping_url = 5", "[metrics]\nx = 1"]
)
def test_who_is_told_cannot_be_read(tmp_path: Path, text: str) -> None:
    """Then nobody is."""
    assert watchers(written(tmp_path, text)) == (Alert(), Metrics())
    assert watchers(tmp_path / "none.toml") == (Alert(), Metrics())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[alert]\nping_url = 'https://hc.invalid/a-fake-check'",
            "alert.ping_url: must be env:NAME or file:PATH",
        ),
        (
            "[alert]\nfailed_calls_above = -1",
            "alert.failed_calls_above = -1: must be at least 0",
        ),
        (
            "[metrics]\ntextfile = 'ecgrid.txt'",
            "metrics.textfile = 'ecgrid.txt': must be a file whose name ends in .prom",
        ),
    ],
)
def test_values_that_are_wrong(tmp_path: Path, text: str, said: str) -> None:
    """Key, value and what is right; the address of a check is not shown."""
    with pytest.raises(ConfigError) as refused:
        load(written(tmp_path, GOOD + text))
    assert said in str(refused.value)
    assert "a-fake-check" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://h.invalid/a-fake-check",
        "https:a-fake-check",
        "https://h.invalid:x/",
        "https://h.invalid/ü",
        "x y",
    ],
)
def test_what_is_no_address(tmp_path: Path, text: str) -> None:
    """The reference is named, not what it leads to."""
    (tmp_path / "url").write_text(text)
    (tmp_path / "url").chmod(0o600)
    with pytest.raises(
        ConfigError, match=r"^alert\.ping_url = 'file:url': .* must be an https"
    ) as refused:
        ping_url(Alert(ping_url="file:url"), tmp_path)
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "warned"),
    [("http://hc.example/x", True), ("https://hc.example/x", False), ("http://127.0.0.1/x", False)],
)
def test_plain_http_is_allowed_with_a_warning(tmp_path: Path, url: str, warned: bool) -> None:
    """To another machine; it names the key and not the address."""
    (tmp_path / "url").write_text(url)
    (tmp_path / "url").chmod(0o600)
    with structlog.testing.capture_logs() as logs:
        Watched(written(tmp_path, GOOD + ALERT))
    assert [each["event"].startswith("alert.ping_url leads to") for each in logs] == [True] * warned
    assert url not in repr(logs)


def test_the_last_lines_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """The latest ones, as many as a ping can hold and some more; those of the level that is logged."""
    set_up("info", "plain")
    log = structlog.get_logger()
    for number in range(1_000):
        log.info("said", number=number)
        log.debug("not said")
    log.warning("\x1b[31mlong\x1b[0m", text="x" * 100_000)
    lines = last_lines()
    assert len(lines) == 200
    assert "number=999" in lines[-2]
    assert len(lines[-1]) == 2_000
    assert "event=long" in lines[-1]
    assert not any("not said" in line for line in lines)
    assert capsys.readouterr().err.count("event=said") == 1_000


@pytest.mark.parametrize(
    ("night", "most", "is_success"),
    [
        ({"exit_code": ExitCode.DONE}, 0, True),
        ({"exit_code": ExitCode.CALLS_FAILED, "failed": 2, "not_attempted": 1}, 3, True),
        ({"exit_code": ExitCode.CALLS_FAILED, "failed": 2, "not_attempted": 1}, 2, False),
        ({"exit_code": ExitCode.CALLS_FAILED, "failed": 0, "behind": True}, 3, False),
        ({"exit_code": ExitCode.STOPPED, "not_attempted": 1}, 3, False),
        ({"exit_code": ExitCode.FAILED, "failed": 1}, 3, False),
    ],
)
def test_what_is_a_success(night: dict[str, Any], most: int, is_success: bool) -> None:
    """Some failed calls of a finished run may be one; a warehouse that is behind, or an early end, never is."""
    counts = dict.fromkeys(
        "planned ok empty failed not_attempted attempts logins rows files".split(), 0
    )
    found = Night(**{"run_id": "run", "seconds": 1.0, **counts, **night})
    assert found.is_success(most) is is_success
