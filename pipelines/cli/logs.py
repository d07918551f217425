"""Log lines on stderr: coloured on a terminal, key=value or JSON elsewhere."""

import logging
import sys
from typing import Any

import structlog

__all__ = ["set_up"]


def set_up(level: str, form: str) -> None:
    """Configure logging for this process; `form` is `auto`, `plain` or `json`."""
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if form == "json":
        processors += [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    elif form == "auto" and sys.stderr.isatty():
        processors += [structlog.dev.ConsoleRenderer()]
    else:
        order = ["timestamp", "level", "event"]
        processors += [structlog.processors.LogfmtRenderer(key_order=order, bool_as_flag=False)]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
