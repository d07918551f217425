"""Who may import whom. A change of these tables is a change of the house: say why in docs/architecture.md."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import pytest

from pipelines.cli import COMMANDS
from tests.architecture.sources import PACKAGES, Module, component, modules

# A component imports from floors below its own and from itself, nothing else of the project.
FLOORS = {
    "collector.errors": 0,
    "collector.version": 0,
    "collector.domain": 1,
    "collector.wire.namespaces": 1,  # constants, which both sides of the wire and the settings name
    "collector.config": 2,
    "collector.scheduling": 2,
    "collector.wire": 2,
    "collector.landing": 3,
    "collector.transport": 3,
    "collector.outcomes": 4,
    "collector.events": 2,
    "collector.observers": 3,
    "collector.sessions": 5,
    "collector.runs": 6,
    "pipelines.errors": 0,
    "pipelines.contract": 1,
    "pipelines.dataset": 0,  # imports nothing of the project: it could be published alone
    "pipelines.lake": 2,
    "pipelines.normalize": 3,
    "pipelines.read": 3,
    "pipelines.history": 4,
    "pipelines.report": 4,
    "pipelines.warehouse": 3,
    "pipelines.job": 5,
    "pipelines.cli": 6,
}

# The simulator plays the other side, so it shares only what both sides of a wire must agree on.
SIMULATOR = "collector.simulator"
SIMULATOR_USES = {"collector.errors", "collector.domain", "collector.wire"}
SIMULATOR_USERS = {"pipelines.job", "pipelines.cli"}

# These two drive both packages; the rest of pipelines sees the landed replies and what they are made of.
DRIVERS = {"pipelines.job", "pipelines.cli"}
SEEN_OF_COLLECTOR = {
    "collector.errors",
    "collector.landing",
    "collector.domain",
    "collector.wire",
}

# third-party package -> the only components that may name it
KEEPERS = {
    "aiohttp": {"collector.transport", SIMULATOR},
    "asyncio_throttle": {"collector.scheduling"},
    "click": {"pipelines.cli"},
    "rich": {"pipelines.cli"},
    "prometheus_client": {"pipelines.job"},
    "duckdb": {"pipelines.read", "pipelines.warehouse"},
    "jinja2": {"pipelines.report"},
    "adbc_driver_manager": {"pipelines.warehouse"},
    "adbc_driver_postgresql": {"pipelines.warehouse"},
    "pyiceberg": {"pipelines.warehouse"},
}
NEVER = {"collector": {"pandas", "pyarrow", "numpy", "pipelines"}, "pipelines": {"aiohttp"}}


def _part(name: str) -> str:
    """The entry of the tables that a module falls under: the longest one that is its prefix."""
    parts = name.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 1, -1))
    return next((prefix for prefix in prefixes if prefix in FLOORS), component(name))


def _uses(module: Module) -> Iterator[tuple[str, str]]:
    """The modules of the project that it imports, each with the words for a complaint."""
    for target, line in module.imported_modules():
        yield target, f"{module.path.name}:{line} imports {target}"


def test_every_module_has_a_floor() -> None:
    """A new component is given its floor on purpose."""
    parts = {_part(module.name) for module in modules() if module.name not in PACKAGES}
    assert parts - {*FLOORS, SIMULATOR} == set()


def test_package_roots_are_empty() -> None:
    """`import collector` costs nothing, and nobody reaches a module through the root.

    One door is there on purpose, for those who only read: `pipelines.open_lake`, imported when it is first asked for.
    """
    roots = [module for module in modules() if module.name in PACKAGES]
    found = {(root.name, entry.module, entry.name) for root in roots for entry in root.imports()}
    assert found - {("pipelines", "typing", "TYPE_CHECKING")} == {
        ("pipelines", "pipelines.read", "open_lake")
    }
    at_once = [
        n for root in roots for n in root.tree.body if isinstance(n, ast.Import | ast.ImportFrom)
    ]
    assert [ast.unparse(node) for node in at_once] == ["from typing import TYPE_CHECKING"]
    taken = [text for module in modules() for target, text in _uses(module) if target in PACKAGES]
    assert taken == []


def test_imports_go_down() -> None:
    """Within a package, a component imports only from floors below it and from itself."""
    upward = [
        f"{text}: floor {FLOORS[_part(target)]}, not below {FLOORS[own]}"
        for module in modules()
        if (own := _part(module.name)) in FLOORS
        for target, text in _uses(module)
        if target.split(".")[0] == own.split(".")[0]
        if _part(target) in FLOORS and _part(target) != own
        if FLOORS[_part(target)] >= FLOORS[own]
    ]
    assert upward == []


def test_no_circles() -> None:
    """No circle of modules, counting imports in functions and under TYPE_CHECKING."""
    graph = {
        module.name: {target for target, _ in module.imported_modules()} for module in modules()
    }
    graph = {name: targets - {name} for name, targets in graph.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_pipelines_sees_only_what_was_landed() -> None:
    """Of the collector, pipelines knows its model, its landing store and its envelope opener."""
    wrong = [
        text
        for module in modules()
        if module.name.startswith("pipelines.") and component(module.name) not in DRIVERS
        for target, text in _uses(module)
        if target.startswith("collector.") and component(target) not in SEEN_OF_COLLECTOR
    ]
    assert wrong == []


def test_simulator_takes_only_the_shared_vocabulary() -> None:
    """It answers from its own knowledge of the service, so that a mistake of the client shows."""
    wrong = [
        text
        for module in modules()
        if component(module.name) == SIMULATOR
        for target, text in _uses(module)
        if component(target) not in {SIMULATOR, *SIMULATOR_USES}
    ]
    assert wrong == []


def test_only_the_drivers_start_the_simulator() -> None:
    """The product does not need its own test bed."""
    wrong = [
        text
        for module in modules()
        if component(module.name) not in {SIMULATOR, *SIMULATOR_USERS}
        for target, text in _uses(module)
        if component(target) == SIMULATOR
    ]
    assert wrong == []


def test_third_party_packages_have_keepers() -> None:
    """A library that shapes its surroundings is named in one component only, and some never at all."""
    wrong = []
    for module in modules():
        own, never = component(module.name), NEVER[module.name.split(".")[0]]
        for entry in module.imports():
            top = entry.module.split(".")[0]
            if top in never or own not in KEEPERS.get(top, {own}):
                wrong.append(f"{module.path.name}:{entry.line} imports {entry.module}")
    assert wrong == []


def test_imports_are_statements() -> None:
    """`importlib` would go round all of the above; the command line loads its own commands with it, nothing else."""
    assert {component(target) for target in COMMANDS.values()} == {"pipelines.cli"}
    loaders = {"importlib", "importlib.util", "runpy", "pkgutil"}
    wrong = []
    for module in modules():
        taken = {entry.module for entry in module.imports() if entry.name != "metadata"}
        called = {node.id for node in ast.walk(module.tree) if isinstance(node, ast.Name)}
        if taken & loaders or "__import__" in called:
            wrong.append(module.name)
    assert wrong == ["pipelines.cli"]


def test_tables_name_what_exists() -> None:
    """A floor for a component that is gone would hide that the design and the code differ."""
    assert set(FLOORS) == {_part(module.name) for module in modules()} - {*PACKAGES, SIMULATOR}
    assert set(KEEPERS).isdisjoint(sys.stdlib_module_names)
