"""The shape of the project: imports point down, each big dependency has one home, the packages' names are ours."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("search", "indexer", "web")  # from the ground up; demo stands beside them, and draws what they work on
PACKAGES = (*LAYERS, "demo")

HOMES = {
    "sqlite3": ("search/catalogue/",),
    "faiss": ("search/index/vectors/", "search/index/variants.py"),
    "cv2": ("search/duplicates/", "demo/"),
    "tantivy": ("search/index/lexical", "search/index/lexical/analyzer.py"),
    "torch": (
        "search/encoders/minilm_export.py",
        "search/encoders/sentence_export.py",
        "search/encoders/clip_export.py",
        "search/encoders/built_in_export.py",
        "demo/small_clip/",
    ),
    "open_clip": ("search/encoders/clip_export.py", "search/encoders/clip_files.py", "demo/small_clip/towers.py"),
    "sentence_transformers": ("search/encoders/minilm_export.py", "search/encoders/sentence_export.py"),
    "onnxruntime": ("search/encoders/runtimes.py", "search/encoders/quantization.py"),
    "openvino": ("search/encoders/runtimes.py",),
    "sklearn": ("search/categories/",),
    "tokenizers": ("search/encoders/"),
    "rapidocr": ("indexer/ocr/engines.py",),
    "av": ("indexer/media/", "demo/"),
    "pyarrow": ("indexer/export/files.py",),
    "argon2": ("web/curator/passwords.py",),
    "flask": ("web/",),
    "flask_compress": ("web/access/compression.py",),
    "waitress": ("web/server/",),
    "click": ("web/cli/",),
    "mcp": ("web/mcp/",),
    "watchfiles": ("web/background/watch.py",),
    "uvicorn": ("web/mcp/",),
    "rich": ("web/",),
    "qdrant_client": ("search/index/qdrant",),
}

# Which chapters of its package a chapter may import. Flat modules (errors, settings, searcher, app …) are not listed:
# the test of cycles covers them.
CHAPTERS: dict[str, dict[str, tuple[str, ...]]] = {
    "search": {
        "system": (),
        "catalogue": ("system",),
        "encoders": ("system",),
        "images": (),
        "texts": ("catalogue", "encoders"),
        "index": ("catalogue", "encoders", "images", "system"),
        "query": ("encoders", "index"),
        "ranking": ("catalogue", "encoders", "images", "index", "query"),
        "evaluation": ("catalogue", "encoders", "index", "query", "ranking", "system", "texts"),
        "duplicates": ("catalogue", "images", "index", "system"),
        "categories": ("catalogue", "images", "index", "system"),
    },
    "indexer": {
        "work": (),
        "media": ("work",),
        "ocr": (),
        "library": ("media", "work"),
        "stages": ("library", "media", "ocr", "work"),
        "describe": ("library", "stages", "work"),
        "curation": ("library", "stages", "work"),
        "export": ("curation",),
        "imports": ("library", "media"),
        "upkeep": ("library", "media", "work"),
        "inbox": ("curation", "library", "media", "ocr", "stages", "work"),
    },
    "web": {
        "access": (),
        "local": (),
        "background": (),
        "curator": ("access", "background"),
        "site": ("access", "background"),
        "api": ("access", "background", "curator"),
        "server": ("access", "local"),
        "mcp": ("access",),
        "static_site": ("background", "site"),
        "cli": ("access", "curator", "local", "mcp", "server", "static_site"),
    },
}
MOST_FLAT_MODULES = {"search": 9, "indexer": 8, "web": 12}


def modules(layer: str) -> Iterator[Path]:
    yield from sorted((ROOT / layer).rglob("*.py"))


@cache
def imports(file: Path) -> tuple[str, ...]:
    found: list[str] = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            found.append(node.module or "")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "LazyModule":
            found += [name.value for name in node.args if isinstance(name, ast.Constant)]
    return tuple(found)


def part_imports(package: str) -> dict[str, set[str]]:
    """Return, for each chapter and flat module of a package, the others of the same package that it imports."""
    edges: dict[str, set[str]] = {}
    for file in modules(package):
        part = file.relative_to(ROOT / package).parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        imported = {name.split(".")[1] for name in imports(file) if name.startswith(f"{package}.")}
        edges.setdefault(part, set()).update(imported - {part})
    return edges


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_down(layer: str) -> None:
    above = (*LAYERS[LAYERS.index(layer) + 1 :], "tests", "benchmarks")
    upward = [(file.name, name) for file in modules(layer) for name in imports(file) if name.split(".")[0] in above]
    assert upward == []


@pytest.mark.parametrize("package", CHAPTERS)
def test_a_chapter_imports_the_chapters_that_the_table_allows_it(package: str) -> None:
    assert set(CHAPTERS[package]) == {file.parent.name for file in (ROOT / package).glob("*/__init__.py")}
    edges = part_imports(package)
    wrong = {
        f"{chapter} imports {other}"
        for chapter, allowed in CHAPTERS[package].items()
        for other in edges.get(chapter, set())
        if other in CHAPTERS[package] and other not in allowed
    }
    assert wrong == set()


@pytest.mark.parametrize("package", CHAPTERS)
def test_no_chapters_or_flat_modules_import_each_other_in_a_circle(package: str) -> None:
    TopologicalSorter(part_imports(package)).prepare()  # raises CycleError with the parts of the circle


@pytest.mark.parametrize("package", CHAPTERS)
def test_a_package_stays_small_at_its_top(package: str) -> None:
    flat = sorted(file.stem for file in (ROOT / package).glob("*.py") if file.stem not in ("__init__", "__main__"))
    assert len(flat) <= MOST_FLAT_MODULES[package], flat


@pytest.mark.parametrize("dependency", HOMES)
def test_a_big_dependency_is_imported_in_its_home_alone(dependency: str) -> None:
    users = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in modules(package)
        for name in imports(file)
        if name.split(".")[0] == dependency
    }
    assert users, f"nothing imports {dependency}: take it out of the table, and out of pyproject.toml"
    assert [user for user in users if not user.startswith(HOMES[dependency])] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_name_is_provided_by_memetica_alone(package: str) -> None:
    assert set(packages_distributions()[package]) == {"memetica"}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_of_modules_is_a_package_and_so_installed(package: str) -> None:
    assert [
        folder for folder in {file.parent for file in modules(package)} if not (folder / "__init__.py").exists()
    ] == []


def test_searching_and_serving_import_no_torch_and_nothing_that_few_requests_need() -> None:
    code = (
        "import sys, web.app, web.cli.serve, web.server.serve, search.searcher; "
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'sklearn', 'pandas', 'av', 'openvino', 'cv2', "
        "'scipy'}; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & heavy))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"
