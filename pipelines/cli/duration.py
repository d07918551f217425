"""Durations among the options of a command: 90s, 30m, 26h, 22d, or a number of seconds."""

import re

import click

from collector.domain.durations import format_duration, parse_duration

__all__ = ["Duration"]


class Duration(click.ParamType):
    """Seconds, more than 0.

    Args:
        longest: the most that it may be, in seconds.
    """

    name = "duration"

    def __init__(self, longest: int) -> None:
        self._longest = longest

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The seconds of what was written."""
        try:
            is_number = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value)
            seconds = float(value) if is_number else parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not 0 < seconds <= self._longest:
            longest = format_duration(self._longest)
            self.fail(f"{value!r}: must be more than 0s and at most {longest}", param, ctx)
        return seconds
