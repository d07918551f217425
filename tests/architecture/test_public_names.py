"""`__all__` tells the truth: all that is public is in it, all in it exists, and nobody imports anything else."""

import ast
from collections.abc import Iterator

from tests.architecture.sources import PACKAGES, Module, modules

BY_NAME = {module.name: module for module in modules()}


def _targets(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=targets):
            for target in targets:
                yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))


def _defined(module: Module) -> set[str]:
    return {name for node in module.tree.body for name in _targets(node)}


def _imported(module: Module) -> set[str]:
    statements = [
        node for node in module.tree.body if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    return {alias.asname or alias.name for node in statements for alias in node.names}


def _declared(module: Module) -> list[str] | None:
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and "__all__" in _targets(node):
            return list(ast.literal_eval(node.value))
    return None


def test_all_is_complete_and_true() -> None:
    """Every public name is declared, and every declared name exists; nobody imports a program."""
    wrong = []
    for module in modules():
        if module.name.endswith(".__main__"):
            continue
        declared = set(_declared(module) or ())
        public = {name for name in _defined(module) if not name.startswith("_")}
        wrong += [f"{module.name}.{name}: public, but not in __all__" for name in public - declared]
        missing = declared - _defined(module) - _imported(module)
        wrong += [f"{module.name}.{name}: in __all__, but not defined there" for name in missing]
    assert sorted(wrong) == []


def test_imported_names_are_public() -> None:
    """What another module takes is what `__all__` offers."""
    wrong = []
    for module, entry in ((each, entry) for each in modules() for entry in each.imports()):
        source = BY_NAME.get(entry.module)
        if source is None or not entry.name or f"{entry.module}.{entry.name}" in BY_NAME:
            continue
        if entry.name not in (_declared(source) or []):
            wrong.append(f"{module.path.name}:{entry.line} takes {entry.module}.{entry.name}")
    assert wrong == []


def test_docstring_says_what_it_is_for() -> None:
    """Every module opens with a docstring; the two roots and plain package markers included."""
    without = [
        module.name
        for module in modules()
        if (module.name in PACKAGES or module.tree.body) and not ast.get_docstring(module.tree)
    ]
    assert without == []
