"""Prometheus's own programs, where they are installed: what they say of metrics, and which alerts fire."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

__all__ = ["RULES", "Case", "check_rules", "program", "series"]

RULES: Final = Path(__file__).parents[2] / "config" / "prometheus" / "alerts.yml"
_SAMPLE: Final = re.compile(r"([a-z_]+(?:\{[^}]*\})?) (\S+)")


@dataclass(frozen=True, slots=True)
class Case:
    """What Prometheus has stored from second 0 on, and which alerts fire so many seconds later."""

    series: Mapping[str, float]
    seconds: int
    fires: tuple[str, ...]


def program(name: str) -> str:
    """The path of a program; where it is missing the test is skipped."""
    if (path := shutil.which(name)) is None:
        pytest.skip(f"{name} is not installed: apt-get install prometheus prometheus-node-exporter")
    return path


def series(text: str, now: float) -> dict[str, float]:
    """The samples of a file of metrics; instants count from `now`, where the time of a test of rules begins."""
    found = {}
    for line in text.splitlines():
        if match := _SAMPLE.fullmatch(line):
            is_instant = match[1].endswith("_timestamp_seconds")
            found[match[1]] = float(match[2]) - (now if is_instant else 0)
    return found


def check_rules(folder: Path, cases: Iterable[Case]) -> None:
    """Have `promtool test rules` evaluate the rules that are shipped."""
    promtool, tests = program("promtool"), folder / "rules.test.json"
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [_test(case) for case in cases],
    }
    tests.write_text(json.dumps(document))  # JSON is YAML
    done = subprocess.run(
        [promtool, "test", "rules", tests], capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _test(case: Case) -> dict[str, object]:
    stored = [
        {"series": name, "values": f"{value:.3f}+0x{case.seconds // 60 + 1}"}
        for name, value in case.series.items()
    ]
    return {
        "interval": "1m",
        "input_series": stored,
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{case.seconds}s",
                "exp_samples": [
                    {"labels": f'{{alertname="{name}"}}', "value": 1} for name in case.fires
                ],
            }
        ],
    }
