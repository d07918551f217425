"""Files and functions stay small enough to be read in one go; every exception has a reason."""

import ast
from statistics import median, quantiles

import pytest

from tests.architecture.sources import Module, modules

MEDIAN_FILE, LARGEST_FILE = 130, 350  # lines; the aim is 120 and under
MEDIAN_FUNCTION, P90_FUNCTION, LARGEST_FUNCTION = 10, 30, 50  # lines, docstring included

# module or module:function -> why it is longer
LONGER: dict[str, str] = {}


def _functions(module: Module) -> dict[str, int]:
    return {
        f"{module.name}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _lines(module: Module) -> int:
    return len(module.path.read_bytes().splitlines())


@pytest.fixture(scope="module")
def files() -> dict[str, int]:
    """Lines of every module that holds anything."""
    return {module.name: _lines(module) for module in modules() if module.tree.body}


@pytest.fixture(scope="module")
def functions() -> dict[str, int]:
    """Lines of every function and method."""
    return {name: size for module in modules() for name, size in _functions(module).items()}


def test_files_are_short(files: dict[str, int]) -> None:
    """The middle file is one screen or two, and none has eaten its neighbours."""
    assert median(files.values()) <= MEDIAN_FILE
    assert {name: n for name, n in files.items() if n > LARGEST_FILE and name not in LONGER} == {}


def test_functions_are_short(functions: dict[str, int]) -> None:
    """Half of them are ten lines, nine of ten fit in thirty."""
    assert median(functions.values()) <= MEDIAN_FUNCTION
    assert quantiles(functions.values(), n=10)[-1] <= P90_FUNCTION
    long = {name: n for name, n in functions.items() if n > LARGEST_FUNCTION}
    assert {name: n for name, n in long.items() if name not in LONGER} == {}


def test_exceptions_are_needed(files: dict[str, int], functions: dict[str, int]) -> None:
    """An exception that is no longer one goes."""
    limits = dict.fromkeys(files, LARGEST_FILE) | dict.fromkeys(functions, LARGEST_FUNCTION)
    sizes = files | functions
    assert [name for name in LONGER if sizes.get(name, 0) <= limits.get(name, 0)] == []
