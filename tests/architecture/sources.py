"""The project's own modules as syntax trees, and who imports whom; nothing is imported to find out."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["PACKAGES", "ROOT", "Import", "Module", "component", "modules", "tracked_files"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("collector", "pipelines")


@dataclass(frozen=True, slots=True)
class Import:
    """One imported thing: `from module import name`, or `import module` with an empty name."""

    module: str
    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Module:
    """A source file of one of the packages, by its dotted name."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """It is an `__init__.py`."""
        return self.path.name == "__init__.py"

    def imports(self) -> Iterator[Import]:
        """Every import statement: in functions, under TYPE_CHECKING, and relative ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, "", node.lineno)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    yield Import(self._absolute(node), alias.name, node.lineno)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        kept = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*kept, *([node.module] if node.module else [])])

    def imported_modules(self) -> Iterator[tuple[str, int]]:
        """The modules of this project that it imports, with the line; a name of a package is the package itself."""
        names = {module.name for module in modules()}
        for entry in self.imports():
            submodule = f"{entry.module}.{entry.name}"
            if submodule in names:
                yield submodule, entry.line
            elif entry.module in names:
                yield entry.module, entry.line


@cache
def modules() -> tuple[Module, ...]:
    """All modules of both packages, sorted by name."""
    found = []
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, path, ast.parse(path.read_bytes(), str(path))))
    return tuple(sorted(found, key=lambda module: module.name))


def component(name: str) -> str:
    """The part of the house that a module belongs to: `collector.wire` for `collector.wire.body`."""
    return ".".join(name.split(".")[:2])


@cache
def tracked_files() -> tuple[Path, ...]:
    """What git holds or would hold, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(
        Path(name) for name in sorted(listed.split("\0")) if name and (ROOT / name).is_file()
    )
