"""`python -m tests.reliability.scaled FACTOR ...`: ecgrid-stats whose breaker lives FACTOR times as fast.

An hour of outage becomes seconds: the first and the longest pause between probes shrink alike.
"""

import sys

from collector.scheduling import breaker
from pipelines.cli import main

if __name__ == "__main__":
    factor = float(sys.argv[1])
    breaker.PROBE_SECONDS /= factor  # type: ignore[misc]
    breaker.MOST_SECONDS /= factor  # type: ignore[misc]
    sys.argv = ["ecgrid-stats", *sys.argv[2:]]
    main()
