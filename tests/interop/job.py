"""The nightly job as its user has it: a configuration file, the command, and the tables it leaves."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

__all__ = ["Job", "sent_counts", "table_counts"]

ROOT: Final = Path(__file__).parents[2]
LIMIT_S: Final = 50
_KEY: Final = 1
_LOGIN: Final = 11
SERIES: Final = (  # the service's order of counts -> the tidy table's words
    ("parcel", "in"),
    ("parcel", "out"),
    ("interchange", "in"),
    ("interchange", "out"),
)

# session, window, traffic, direction -> how often each count was seen
Counts = Counter[tuple[str, int, str, str, int]]


@dataclass(frozen=True, slots=True)
class Job:
    """One configured job; `by_key` and `by_login` are account numbers of the C# service.

    Attributes:
        behind_key: accounts whose mailboxes are asked for with the key of account 1.
        behind_login: the same with the login of account 11.
    """

    folder: Path
    url: str
    binding: str
    windows: tuple[int, ...]
    by_key: tuple[int, ...] = ()
    by_login: tuple[int, ...] = ()
    behind_key: tuple[int, ...] = ()
    behind_login: tuple[int, ...] = ()
    pairing: str = "pairs"
    per_second: int = 400

    def run(self) -> dict:
        """`ecgrid-stats run --json` in a process of its own: its one JSON object."""
        return self.finished(self.started("run"))

    def started(self, command: str, *options: str) -> subprocess.Popen[str]:
        """`ecgrid-stats COMMAND --json`, with more options, running."""
        config = self.folder / "ecgrid.toml"
        config.write_text(self.toml(), encoding="utf-8")
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", command, "-c", str(config), "--json", *options],
            env=os.environ | self.credentials() | {"PYTHONPATH": str(ROOT)},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finished(self, process: subprocess.Popen[str]) -> dict:
        """What it said, once it has ended: one JSON object with its exit code."""
        with process:
            try:
                stdout, stderr = process.communicate(timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        lines = stdout.splitlines()
        assert len(lines) == 1, f"stdout: {stdout!r}\nstderr: {stderr[-4000:]}"
        said = json.loads(lines[0])
        assert said["exit_code"] == process.returncode, stderr[-4000:]
        return said

    def table(self, name: str) -> pd.DataFrame:
        """One table of the lake, all partitions."""
        return pd.read_parquet(self.folder / "data" / "lake" / name)

    def toml(self) -> str:
        """The configuration file."""
        sessions = [f'[[sessions]]\nlabel = "{label(n)}"\n{_key(n)}' for n in self.by_key] + [
            f'[[sessions]]\nlabel = "{label(n)}"\n{_login(n)}' for n in self.by_login
        ]
        for known, behind in ((_key(_KEY), self.behind_key), (_login(_LOGIN), self.behind_login)):
            sessions += [
                f'[[sessions]]\nlabel = "{label(n)}"\n{known}\nnetwork_id = {300 + n}\nmailbox_id = {9000 + n}'
                for n in behind
            ]
        return (
            f'[service]\nurl = "{self.url}"\nbinding = "{self.binding}"\ntimeout_seconds = 20\n'
            f"[limits]\nrequests_per_second = {self.per_second}\n"
            "per_session_per_second = 100\n"
            "concurrency = 8\nper_session_concurrency = 2\n"
            "[retry]\nattempts = 3\nbackoff_seconds = 0.05\nmax_backoff_seconds = 0.2\n"
            f'[windows]\nminutes = {list(self.windows)}\npairing = "{self.pairing}"\n'
            '[storage]\nroot = "data"\n' + "\n".join(sessions) + "\n"
        )

    def credentials(self) -> dict[str, str]:
        """The environment that the configuration refers to."""
        by_login = (*self.by_login, _LOGIN)
        keys = {f"TEST_KEY_{n}": f"fake-key-{n:04d}" for n in (*self.by_key, _KEY)}
        logins = {f"TEST_LOGIN_{n}": f"fake-login-{n:04d}" for n in by_login}
        passwords = {f"TEST_PASSWORD_{n}": f"fake-password-{n:04d}" for n in by_login}
        return keys | logins | passwords


def _key(account: int) -> str:
    return f'api_key = "env:TEST_KEY_{account}"'


def _login(account: int) -> str:
    return f'login_name = "env:TEST_LOGIN_{account}"\npassword = "env:TEST_PASSWORD_{account}"'


def label(account: int) -> str:
    """The label that the C# service has for an account, too."""
    return f"real-{account:04d}"


def sent_counts(journal: list[dict]) -> Counts:
    """Every count that the service says it sent."""
    return Counter(
        (entry["account"], minutes, *series, count)
        for entry in journal
        if "counts" in entry
        for minutes, counts in zip(entry["minutes"], entry["counts"], strict=True)
        for series, count in zip(SERIES, counts, strict=True)
    )


def table_counts(facts: pd.DataFrame) -> Counts:
    """Every count of an `instant_stats` table."""
    columns = ["session", "window_minutes", "traffic", "direction", "count"]
    return Counter(
        (str(session), int(minutes), str(traffic), str(direction), int(count))
        for session, minutes, traffic, direction, count in facts[columns].itertuples(index=False)
    )
