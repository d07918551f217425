"""docs/recipes.ipynb: that it is the page, and runs from top to bottom."""

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.architecture.sources import ROOT
from tests.recipes.document import RECIPES
from tests.recipes.fortnight import SILENT, Fortnight
from tests.recipes.notebook import notebook

NOTEBOOK = ROOT / "docs" / "recipes.ipynb"


def test_it_is_the_page() -> None:
    """The same text, no outputs, nothing of the machine where it was made."""
    assert NOTEBOOK.read_text(encoding="utf-8") == notebook()
    cells = json.loads(notebook())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) == 2 * (len(RECIPES) + 1) + 1  # and the list of mailboxes
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.timeout(240)
@pytest.mark.extended
def test_it_runs_from_top_to_bottom(fortnight: Fortnight, tmp_path: Path) -> None:
    """In a kernel of its own, in the folder that holds the data; SQL and pandas show the same answers."""
    found = nbformat.read(NOTEBOOK, as_version=4)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path)}
    where = {"metadata": {"path": str(fortnight.folder)}}
    client = NotebookClient(found, timeout=60, kernel_name="python3", resources=where)
    client.execute(env=environment)
    shown = [_shown(cell) for cell in found.cells if cell.cell_type == "code"]
    answers = [text for text in shown if "<div>" in text]
    assert len(answers) == 2 * len(RECIPES)
    silent = 2 * list(RECIPES).index("Mailboxes that went silent")
    assert answers[silent].count(SILENT) == answers[silent + 1].count(SILENT) == 1
    assert [text for text in shown if "Error" in text and "Internal Error" not in text] == []


def _shown(cell: Any) -> str:
    """What stands below a cell, as HTML where it is a table."""
    texts = [
        "".join(output.get("data", {}).get("text/html", output.get("text", "")))
        for output in cell.outputs
    ]
    return "\n".join(texts)
