"""Log lines on stderr: coloured on a terminal, key=value or JSON elsewhere."""

import logging
import sys
from typing import Any, Final, TextIO, cast

import structlog

from pipelines.cli.streams import Lenient

__all__ = ["set_up"]

# no local variables: a request that is being put together holds its credential in plain
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


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
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", Lenient())),
        cache_logger_on_first_use=False,
    )
