"""`python -m tests.reliability.measured FILE ...`: ecgrid-stats, which writes its peak memory to FILE at its end."""

import atexit
import sys
from pathlib import Path

from pipelines.cli import main

_STATUS = Path("/proc/self/status")


def _write_peak(file: Path) -> None:
    """In bytes; the highest resident size since the program was started."""
    lines = _STATUS.read_text(encoding="ascii").splitlines()
    peak = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    file.write_text(str(int(peak) * 1024), encoding="ascii")


if __name__ == "__main__":
    atexit.register(_write_peak, Path(sys.argv[1]))
    sys.argv = ["ecgrid-stats", *sys.argv[2:]]
    main()
