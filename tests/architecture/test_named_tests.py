"""The tests that the documents name are there: a promise whose test was renamed or dropped is an error."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("docs/reliability.md", "SECURITY.md")
_CODE = re.compile(r"`([^`\n]+)`")
_NAMED = re.compile(r"(?P<file>(?:tests/)?[\w/]*test_\w+\.py)?(?:::(?P<test>test_\w+))?")


def named(text: str) -> list[tuple[str, str]]:
    """Files and tests in code spans; `::test_x` alone belongs to the file that was named before it."""
    found, file = [], ""
    for span in _CODE.findall(text):
        if (match := _NAMED.fullmatch(span)) and span:
            file = match["file"] or file
            found.append((file, match["test"] or ""))
    return found


NAMED = [
    pytest.param(file, test, id=f"{document}-{file}-{test}")
    for document in DOCUMENTS
    for file, test in dict.fromkeys(named((ROOT / document).read_text("utf-8")))
]


def test_some_are_named() -> None:
    """The documents are read as they are meant to be."""
    assert len(NAMED) > 130


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_it_is_there(file: str, test: str) -> None:
    """The file is below tests/, and the function in it."""
    places = [ROOT / file] if file.startswith("tests/") else list((ROOT / "tests").rglob(file))
    assert [place.is_file() for place in places] == [True], file
    tree = ast.parse(places[0].read_text("utf-8"))
    functions = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not test or test in functions
