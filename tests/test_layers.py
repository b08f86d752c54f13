"""The shape of the project: imports point down, each big dependency has one home, the packages' names are ours."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("search", "indexer", "web")  # from the ground up; demo stands beside them, and draws what they work on
PACKAGES = (*LAYERS, "demo")

HOMES = {
    "sqlite3": ("search/catalogue/",),
    "faiss": ("search/index/",),
    "cv2": ("search/duplicates/", "demo/"),
    "tantivy": ("search/index/lexical.py", "search/index/analyzer.py"),
    "torch": ("search/encoders/minilm_export.py", "search/encoders/clip_export.py", "demo/small_clip/"),
    "open_clip": ("search/encoders/clip_export.py", "demo/small_clip/towers.py"),
    "sentence_transformers": ("search/encoders/minilm_export.py",),
    "onnxruntime": ("search/encoders/runtimes.py",),
    "openvino": ("search/encoders/runtimes.py",),
    "sklearn": ("search/categories/",),
    "cleanlab": ("search/categories/audit.py",),
    "tokenizers": ("search/encoders/"),
    "rapidocr": ("indexer/ocr/engines.py",),
    "av": ("indexer/media/", "demo/"),
    "openai": ("indexer/describe/client.py",),
    "argon2": ("web/curator/passwords.py",),
    "flask": ("web/",),
    "waitress": ("web/server.py",),
    "click": ("web/cli/",),
    "rich": ("web/",),
}


def modules(layer: str) -> Iterator[Path]:
    yield from sorted((ROOT / layer).rglob("*.py"))


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            yield node.module or ""


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_down(layer: str) -> None:
    above = (*LAYERS[LAYERS.index(layer) + 1 :], "tests", "benchmarks")
    upward = [(file.name, name) for file in modules(layer) for name in imports(file) if name.split(".")[0] in above]
    assert upward == []


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


def test_searching_and_serving_import_no_torch() -> None:
    code = (
        "import sys, web.cli.main, web.server, search.searcher; "
        "heavy = {'torch', 'transformers', 'sentence_transformers'}; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & heavy))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"
