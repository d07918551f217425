"""The exit codes of `ecgrid-stats`."""

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """Exit codes of `ecgrid-stats`; cron and systemd act on them."""

    DONE = 0  # everything planned is ok or empty
    CALLS_FAILED = 1  # finished, some calls failed or a warehouse is behind, the rest is published
    USAGE = 2  # wrong usage or configuration
    LOCKED = 3  # another run holds the lock
    STOPPED = 4  # stopped early (signal, deadline), resumable
    FAILED = 5  # the run itself failed
