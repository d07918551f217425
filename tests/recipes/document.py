"""docs/recipes.md, cut into what can be run."""

import re
from dataclasses import dataclass
from typing import Final

from tests.architecture.sources import ROOT

__all__ = ["DOCUMENT", "MAILBOXES", "RECIPES", "SETUP", "Recipe"]

DOCUMENT: Final = ROOT / "docs" / "recipes.md"
_FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A section: its question, and the two ways to answer it.

    Attributes:
        answer: the variable that the block in pandas prints at its end.
    """

    title: str
    sql: str
    python: str

    @property
    def answer(self) -> str:
        """The name in the last line's print."""
        found = re.search(r"print\((\w+)\)\n\Z", self.python)
        assert found is not None, f"{self.title}: must end with print(NAME)"
        return found[1]


def _section(text: str) -> Recipe:
    blocks = _FENCE.findall(text)
    kinds = [kind for kind, _ in blocks if kind in {"sql", "python"}]
    title = text.partition("\n")[0].removeprefix("## ").removeprefix("# ")
    assert kinds == ["sql", "python"], f"{title}: must have one block of sql, then one of python"
    by_kind = dict(blocks)
    return Recipe(title, by_kind["sql"], by_kind["python"])


_SECTIONS: Final = re.split(r"^(?=## )", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
SETUP: Final = _section(_SECTIONS[0])
RECIPES: Final = {recipe.title: recipe for recipe in map(_section, _SECTIONS[1:])}
MAILBOXES: Final = next(
    body for section in _SECTIONS for kind, body in _FENCE.findall(section) if kind == "csv"
)
