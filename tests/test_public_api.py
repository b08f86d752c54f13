"""The exported members of each package: a name that comes or goes changes this file."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

EXPORTS = {
    "search": [
        "Answer",
        "Catalogue",
        "Field",
        "Hit",
        "Likeness",
        "Meme",
        "MemeticaError",
        "Searcher",
        "Settings",
        "Sort",
        "Workspace",
        "__version__",
    ],
}


@pytest.mark.parametrize("package", EXPORTS)
def test_package_exports_exactly_these_names(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == EXPORTS[package]
    assert set(EXPORTS[package]) <= set(dir(module))
    assert [name for name in EXPORTS[package] if getattr(module, name, None) is None] == []


def test_importing_search_loads_no_heavy_library() -> None:
    code = (
        "import sys, search; search.Meme, search.MemeticaError; "
        "heavy = {'faiss', 'tantivy', 'onnxruntime', 'openvino', 'cv2', 'sklearn', 'PIL', 'numpy'}; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & heavy))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["search", "indexer", "web"])
def test_package_is_marked_as_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
