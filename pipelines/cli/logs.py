"""Log lines on stderr: coloured on a terminal, key=value or JSON elsewhere. The last ones are remembered."""

import logging
import re
import sys
from collections import deque
from typing import Any, Final, TextIO, cast

import structlog

from pipelines.cli.streams import Lenient

__all__ = ["last_lines", "set_up"]

_MOST_LINES: Final = 200
_LONGEST_LINE: Final = 2_000  # characters
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_last: deque[str] = deque(maxlen=_MOST_LINES)

# no local variables: a request that is being put together holds its credential in plain
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


class _Remembered(Lenient):
    """Standard error; what is written there is also among the last lines."""

    def write(self, text: str) -> int:
        """Writes what can be written."""
        plain = _COLOURS.sub("", text).rstrip("\n")
        _last.extend(line[:_LONGEST_LINE] for line in plain.splitlines()[-_MOST_LINES:])
        return super().write(text)


def last_lines() -> tuple[str, ...]:
    """The latest log lines of this process, oldest first, without colours: some hundreds, none very long."""
    return tuple(_last)


def set_up(level: str, form: str) -> None:
    """Configure logging for this process; `form` is `auto`, `plain` or `json`."""
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if form == "json":
        processors += [_TRACEBACKS, structlog.processors.JSONRenderer()]
    elif form == "auto" and sys.stderr.isatty():
        plain = structlog.dev.plain_traceback
        processors += [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    else:
        order = ["timestamp", "level", "event"]
        processors += [structlog.processors.LogfmtRenderer(key_order=order, bool_as_flag=False)]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Remembered())),
        cache_logger_on_first_use=False,
    )
