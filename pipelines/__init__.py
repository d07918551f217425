"""Landed replies to published tables. `open_lake` is for those who only read them; importing this costs nothing."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.read import open_lake as open_lake


def __getattr__(name: str) -> object:
    if name == "open_lake":
        from pipelines.read import open_lake  # noqa: PLC0415  # pandas and pyarrow only for those who ask

        return open_lake
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
