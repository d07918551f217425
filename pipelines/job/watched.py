"""Tells who watches from outside (ping, metrics) that a run began and how it ended. What fails here fails no run."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from collector.config import ApiKey, Credential, Login, is_plain, ping_url, watchers
from collector.domain.clock import now_us
from collector.domain.secret import Secret
from collector.errors import ConfigError
from pipelines.job import metrics
from pipelines.job.exit_code import ExitCode
from pipelines.job.ping import Pings

if TYPE_CHECKING:
    from pipelines.job.night import Night

__all__ = ["Watched"]

_LOG: Final = structlog.get_logger("nightly")


class Watched:
    """One run, and those who watch it: the check of `alert.ping_url`, the readers of `metrics.textfile`.

    They are told as far as the configuration can be read, so that they hear of one that is wrong.

    Attributes:
        night: what the run came to, once that is known.
        retries: requests that were to be made again.
    """

    def __init__(self, config: Path) -> None:
        alert, numbers = watchers(config)
        self.night: Night | None = None
        self.retries = 0
        self._most_failed = alert.failed_calls_above
        self._textfile = config.parent / numbers.textfile if numbers.textfile else None
        self._secrets: tuple[Secret, ...] = ()
        self._started = time.monotonic()
        self._pings: Pings | None = None
        try:
            url = ping_url(alert, config.parent)
        except ConfigError as error:
            _LOG.warning("nobody is pinged: mend alert.ping_url", said=str(error))
            return
        if url is None:
            return
        self._pings = Pings(url)
        if is_plain(url):
            _LOG.warning(
                "alert.ping_url leads to another machine by plain http: whoever reads it can report a success"
            )

    def began(self, known: Mapping[str, Credential]) -> None:
        """The run holds the lock and is at work.

        Args:
            known: credentials, which no log line that is sent may hold.
        """
        self._secrets = tuple(_secrets(known.values()))
        if self._pings is not None:
            self._pings.start()
        if self._textfile is not None:
            self._write(self._textfile, metrics.began(metrics.earlier(self._textfile), _now()))

    def ended(self, exit_code: int, lines: str) -> None:
        """The process is about to end; returns within ten seconds.

        A run that was refused the lock says nothing: another one is at work, and will.

        Args:
            exit_code: of the process.
            lines: what was logged last, and said at the end.
        """
        if exit_code == ExitCode.LOCKED:
            return
        night = self.night
        is_success = (
            night is not None
            and night.exit_code == exit_code
            and night.is_success(self._most_failed)
        )
        if self._textfile is not None:
            readings = metrics.ended(
                metrics.earlier(self._textfile),
                _now(),
                time.monotonic() - self._started,
                exit_code,
                night,
                is_success=is_success,
                retries=self.retries,
            )
            self._write(self._textfile, readings)
        if self._pings is not None:
            self._pings.end(None if is_success else exit_code, lines, self._secrets)

    def _write(self, path: Path, readings: metrics.Readings) -> None:
        try:
            metrics.write(path, readings)
        except OSError as error:
            _LOG.warning(
                "the metrics cannot be written: metrics.textfile must lie in a folder that this user may write",
                path=str(path),
                said=error.strerror or type(error).__name__,
            )


def _now() -> float:
    return now_us() / 1_000_000


def _secrets(known: Iterable[Credential]) -> Iterable[Secret]:
    for each in known:
        if isinstance(each, ApiKey):
            yield each.key
        elif isinstance(each, Login):
            yield from (each.name, each.password)
