"""The product under measurement: a configuration in a folder of its own, and its commands as processes."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.process import PYTHON, ROOT, Taken, finished

__all__ = ["Product", "product"]

_FAST: Final = 100_000.0  # the highest rate that the configuration allows
_KEY: Final = "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"
_CONFIG: Final = """sessions_file = "sessions.csv"
[service]
url = "{url}"
[limits]
requests_per_second = {rate}
per_session_per_second = {session_rate}
concurrency = {concurrency}
per_session_concurrency = {concurrency}
[windows]
minutes = {minutes}
[storage]
root = "{root}"
"""


class Product:
    """A configuration and what was landed and published with it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "data"
        self._config = folder / "ecgrid.toml"
        self._under: tuple[str, ...] = ()

    def run(
        self, command: str, *options: str, seconds: float, codes: Sequence[int] = (0,)
    ) -> Taken:
        """`ecgrid-stats COMMAND -c ... --json`, to its end."""
        words = [*self._under, PYTHON, "-m", "pipelines.cli", command, "-c", str(self._config)]
        return finished([*words, "--json", *options], seconds=seconds, codes=codes)

    def under(self, *program: str) -> "Product":
        """The same, but every command is started by a program."""
        other = Product(self._config.parent)
        other._under = program
        return other


@contextlib.contextmanager
def product(  # the keys of a configuration
    url: str,
    *,
    sessions: int,
    pairs: int,
    concurrency: int = 64,
    rate: float = _FAST,
    session_rate: float = _FAST,
) -> Iterator[Product]:
    """A configuration for so many sessions, each with a key of its own, with so many calls each; gone afterwards."""
    beside = ROOT / ".cache"
    beside.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside, prefix="bench-") as name:
        folder = Path(name)
        (folder / "keys").mkdir()
        for n in range(sessions):
            key = folder / "keys" / f"{n}"
            key.touch(mode=0o600)
            key.write_text(f"{_KEY[:-6]}{n:06}")
        rows = "".join(f"mailbox-{n:06},file:keys/{n}\n" for n in range(sessions))
        (folder / "sessions.csv").write_text(f"label,api_key\n{rows}")
        text = _CONFIG.format(
            url=url,
            rate=float(rate),
            session_rate=float(session_rate),
            concurrency=concurrency,
            minutes=[*range(1, 2 * pairs + 1)],
            root=folder / "data",
        )
        (folder / "ecgrid.toml").write_text(text)
        yield Product(folder)
