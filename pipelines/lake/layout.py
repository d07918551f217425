"""How rows are laid out in files: sizes, encodings and compression. The same rows and layout make the same bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.contract import Table

__all__ = ["COMPACTED", "PUBLISHED", "Layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """What is told to the writer of Parquet.

    Attributes:
        dictionary_bytes: of a column in a row group, before it goes on without a dictionary.
        is_read_again: whether every value is read again before the file is published, not the footer alone.
    """

    level: int
    dictionary_bytes: int
    is_read_again: bool = False
    others: Mapping[str, Any] = field(default_factory=dict)

    def options(self, table: Table) -> dict[str, Any]:
        """The arguments of the writer."""
        return {
            "compression": "zstd",
            "compression_level": self.level,
            "use_dictionary": [each.name for each in table.columns if each.name not in table.plain],
            "dictionary_pagesize_limit": self.dictionary_bytes,
            "write_page_index": True,
            **self.others,
        }


# 1 MiB, the writer's default, does not hold the digests of one row group
PUBLISHED: Final = Layout(level=3, dictionary_bytes=4 << 20)
COMPACTED: Final = Layout(level=9, dictionary_bytes=4 << 20, is_read_again=True)
