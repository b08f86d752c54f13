"""The examples in docstrings and the exports of packages, found by reading the source, so that nothing is imported."""

from __future__ import annotations

import ast
import doctest
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.paths import ROOT

PACKAGES = ("search", "indexer", "web", "demo")
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class DocstringExample:
    """A docstring with at least one example: the module, the qualified name ("" for the module's own) and the text."""

    module: str
    name: str
    docstring: str
    line: int

    @property
    def id(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module

    def doctest(self, names: dict[str, object]) -> doctest.DocTest:
        """Return the examples as one test that runs with these names."""
        file = str(module_file(self.module))
        return doctest.DocTestParser().get_doctest(self.docstring, names, self.id, file, self.line)


@dataclass(frozen=True)
class Export:
    """A name that a package exports, and the class or function that defines it (None for a constant)."""

    package: str
    name: str
    definition: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | None

    @property
    def id(self) -> str:
        return f"{self.package}.{self.name}"


def module_name(file: Path) -> str:
    """Return the dotted name of a module's file."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def module_file(module: str) -> Path | None:
    """Return the file of one of our modules, None when there is none."""
    path = ROOT.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.exists()), None)


@cache
def tree_of(file: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(file.read_text("utf-8"))


def docstring_examples() -> Iterator[DocstringExample]:
    """Yield every docstring of the packages that holds an example, in the order of the files."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for name, node in _documented(tree_of(file)):
                docstring = ast.get_docstring(node) or ""
                if ">>>" in docstring:
                    line = getattr(node, "lineno", 1) - 1
                    yield DocstringExample(module_name(file), name, docstring, line)


def exports() -> Iterator[Export]:
    """Yield what each package exports: by its `__init__.pyi`, by `__all__` in its `__init__.py` where it has none."""
    for package in PACKAGES:
        for folder in sorted({file.parent for file in (ROOT / package).rglob("__init__.py")}):
            for name in exported_names(folder):
                yield Export(module_name(folder / "__init__.py"), name, _definition(folder, name))


def exported_names(folder: Path) -> list[str]:
    """Return the names that a package's folder exports."""
    stub = folder / "__init__.pyi"
    if stub.exists():
        return [
            alias.asname or alias.name
            for node in tree_of(stub).body
            if isinstance(node, ast.ImportFrom) and node.module != "__future__"
            for alias in node.names
        ]
    for node in tree_of(folder / "__init__.py").body:
        names = [target.id for target in node.targets if isinstance(target, ast.Name)] if _is_list(node) else []
        if "__all__" in names:
            return list(ast.literal_eval(node.value))
    return []


def _is_list(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Tuple)


def has_example(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function's docstring holds an example; for a class, its own docstring or a public method's."""
    return any(
        ">>>" in (ast.get_docstring(one) or "")
        for name, one in [("", node), *_documented(node)]
        if not any(part.startswith("_") for part in name.split("."))
    )


def _documented(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, Documented]]:
    if isinstance(node, ast.Module):
        yield "", node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{prefix}{child.name}"
            yield name, child
            if isinstance(child, ast.ClassDef):
                yield from _documented(child, f"{name}.")


def _definition(folder: Path, name: str) -> ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return where a package's name is defined, followed through re-exports; None for a constant or a module."""
    stub = folder / "__init__.pyi"
    return _find(stub if stub.exists() else folder / "__init__.py", name)


def _find(file: Path, name: str) -> ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | None:
    for node in tree_of(file).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return node
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) != name:
                    continue
                module = node.module or ""
                if node.level:
                    module = ".".join(part for part in (module_name(file.with_suffix(".py")), module) if part)
                source = module_file(module)
                return _find(source, alias.name) if source is not None else None
    return None
