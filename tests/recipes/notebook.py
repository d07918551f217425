"""docs/recipes.ipynb out of docs/recipes.md: `python -m tests.recipes.notebook > docs/recipes.ipynb`.

Prose becomes Markdown, a block of SQL a cell that asks DuckDB, a block of pandas a cell as it is. There are no outputs,
and cells are numbered, so that the same page gives the same bytes.
"""

import re
import sys
from typing import Any, Final

import nbformat

from tests.recipes.document import DOCUMENT

__all__ = ["notebook"]

_PARTS: Final = re.compile(r"^```(sql|python|csv)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_OPENING: Final = """\
import duckdb

database = duckdb.connect("data/demo/warehouse.duckdb")


def ask(sql):
    return database.sql(sql).to_arrow_table().to_pandas(types_mapper=pd.ArrowDtype)


"""
_LINK: Final = re.compile(r"^Fourteen questions.*?\n\n", re.DOTALL | re.MULTILINE)
_INTRODUCTION: Final = (
    "Fourteen questions, each as SQL and as pandas: [recipes.md](recipes.md) as a notebook. Start it in the folder"
    " where you called `make demo`, with the interpreter of its `.venv` (`pip install jupyterlab`).\n\n"
)


def notebook() -> str:
    """The notebook's text."""
    page = _LINK.sub(lambda _: _INTRODUCTION, DOCUMENT.read_text(encoding="utf-8"), count=1)
    cells: list[Any] = []
    at = 0
    for block in _PARTS.finditer(page):
        _add(cells, "markdown", page[at : block.start()])
        _add(cells, "code", _code(block[1], block[2]))
        at = block.end()
    _add(cells, "markdown", page[at:])
    found = nbformat.v4.new_notebook(cells=cells)
    found.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.validate(found)
    text: str = nbformat.writes(found, version=4)
    return text + "\n"


def _code(kind: str, body: str) -> str:
    if kind == "csv":
        return f'from pathlib import Path\n\nPath("mailboxes.csv").write_text("""\\\n{body}""")'
    if kind == "python":
        return re.sub(r"^print\((\w+)\)\n\Z", r"\1", body, flags=re.MULTILINE)
    if body.startswith("SET "):
        return f'{_OPENING}database.execute("""\n{body}""");'
    return f'ask("""\n{body}""")'


def _add(cells: list[Any], kind: str, text: str) -> None:
    if text.strip():
        make: Any = getattr(nbformat.v4, f"new_{kind}_cell")
        cells.append(make(text.strip(), id=f"cell-{len(cells)}"))


if __name__ == "__main__":
    sys.stdout.write(notebook())
