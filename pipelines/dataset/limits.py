"""The bounds a document must keep; responsible for the numbers, not for checking them."""

from dataclasses import dataclass, fields

__all__ = ["DEFAULT_LIMITS", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may cost before it is refused with `HostileXmlError`.

    Attributes:
        body_bytes: the decoded document.
        depth: nested elements, the envelope included.
        tables: tables of one DataSet, declared or not.
        columns: columns of all tables of one DataSet together.
        rows: rows of all tables together, old versions included.
        text_chars: one value, one attribute.
        nodes: markup held as a tree at one time: everything outside of rows, or a single row. Counted by the
            quarter megabyte as it is parsed, so there may be up to 65,536 more.
    """

    body_bytes: int = 512 * 1024 * 1024
    depth: int = 64
    tables: int = 512
    columns: int = 4096
    rows: int = 5_000_000
    text_chars: int = 8_000_000
    nodes: int = 200_000

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(f"limit {field.name!r} must be at least 1")


DEFAULT_LIMITS = Limits()
