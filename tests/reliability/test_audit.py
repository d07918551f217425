"""`make audit` tells a vulnerable pin from none, and silence of the services from both."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
GOOD: Final[dict[str, Any]] = {"name": "good", "version": "1", "vulns": []}
BAD: Final[dict[str, Any]] = {"name": "bad", "version": "2", "vulns": [{"id": "CVE-0000-0001"}]}
UNKNOWN: Final[dict[str, Any]] = {"name": "odd", "skip_reason": "not found"}
NOTHING: Final = "NOTHING WAS CHECKED"


def audited(folder: Path, answers: dict[str, Any]) -> tuple[int, str]:
    """Exit code and output with a pip-audit that answers so, by service; one without an answer fails."""
    program = folder / "pip-audit"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"answers = {answers!r}\n"
        "service = sys.argv[sys.argv.index('--vulnerability-service') + 1]\n"
        "assert sys.argv[-1].endswith('requirements/dev.txt')\n"
        "if service not in answers:\n    sys.exit('no route to it')\n"
        "print(json.dumps({'dependencies': answers[service]}))\n"
        "sys.exit(any(each.get('vulns') for each in answers[service]))\n"
    )
    program.chmod(0o755)
    command = [sys.executable, str(ROOT / "requirements/audit.py"), str(program)]
    ended = subprocess.run(
        command, capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert ended.stderr == ""
    return ended.returncode, ended.stdout


CASES: Final[dict[str, tuple[dict[str, Any], int, str]]] = {
    "none vulnerable": ({"pypi": [GOOD, UNKNOWN]}, 0, "1 of 2 packages checked, none vulnerable"),
    "one vulnerable": ({"pypi": [GOOD, BAD]}, 1, "bad 2 is vulnerable: CVE-0000-0001"),
    "nobody answers": ({}, 0, NOTHING),
    "known to none": ({"pypi": [UNKNOWN], "osv": [UNKNOWN]}, 0, NOTHING),
    "known to the second": ({"pypi": [UNKNOWN], "osv": [BAD]}, 1, "bad 2 is vulnerable"),
    "only the second answers": ({"osv": [GOOD]}, 0, "1 of 1 packages checked"),
}


@pytest.mark.parametrize("name", CASES)
def test_audit(name: str, tmp_path: Path) -> None:
    """Exit code and words."""
    answers, code, words = CASES[name]
    ended, said = audited(tmp_path, json.loads(json.dumps(answers)))
    assert (ended, words in said) == (code, True), said
    assert (NOTHING in said) == (words == NOTHING)


def test_no_program(tmp_path: Path) -> None:
    """A tool that is not there checks nothing, and that is said."""
    command = [sys.executable, str(ROOT / "requirements/audit.py"), str(tmp_path / "none")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    assert NOTHING in ended.stdout
