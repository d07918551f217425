"""`make audit`: whether a pinned dependency has a known vulnerability.

Fails if one has. Where no service of vulnerabilities answers, as on a machine without a network, it says loudly that
nothing was checked, and passes: the pins and their hashes hold either way.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

_LOCK: Final = Path(__file__).parent / "dev.txt"  # it holds all of run.txt
_SERVICES: Final = ("pypi", "osv")
_SECONDS: Final = 40  # for each service, all packages together


def main(program: str) -> int:
    """Ask one service after the other until one knows any package; the exit code."""
    for service in _SERVICES:
        try:
            found = _asked(program, service)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            print(f"audit: the service {service!r} did not answer: {error}")
            continue
        vulnerable = [each for each in found if each.get("vulns")]
        checked = [each for each in found if "skip_reason" not in each]
        for each in vulnerable:
            known = ", ".join(vuln["id"] for vuln in each["vulns"])
            print(f"audit: {each['name']} {each.get('version', '')} is vulnerable: {known}")
        if vulnerable:
            return 1
        if checked:
            print(f"audit: {len(checked)} of {len(found)} packages checked, none vulnerable")
            return 0
        print(f"audit: the service {service!r} knows none of {len(found)} packages")
    print("audit: ******** NOTHING WAS CHECKED: no service of vulnerabilities answered ********")
    return 0


def _asked(program: str, service: str) -> list[dict[str, Any]]:
    """What the service says of every pinned package.

    Raises:
        ValueError: no answer; TimeoutExpired: none in time; OSError: the program does not start.
    """
    options = ["--require-hashes", "--disable-pip", "--progress-spinner=off", "--timeout=10"]
    command = [
        program,
        *options,
        "--format=json",
        "--vulnerability-service",
        service,
        "-r",
        str(_LOCK),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except (ValueError, LookupError) as error:
        said = ended.stderr.strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        raise ValueError(said[0][:300]) from error
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
