"""The notebooks run on a small demo library, and are stored with their pictures and without a failure."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from demo import draw_demo
from indexer.pipeline import index_library
from indexer.stages.find_duplicates import find_duplicates
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.encoders.clip_models import BUILT_IN
from search.settings import Settings
from search.workspace import Workspace
from tests.support.paths import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = ["01_tour", "02_search_quality", "03_duplicates", "04_categories"]


@pytest.fixture(scope="module")
def small_demo(tmp_path_factory: pytest.TempPathFactory, built_in_models: Path) -> Settings:
    """Settings over a demo library that is indexed with the built-in eyes and compared, without OCR."""
    folder = tmp_path_factory.mktemp("notebooks")
    settings = Settings(library=folder / "memes", data=folder / "data", ocr_engine="none", image_encoder=BUILT_IN)
    draw_demo(settings.library, memes=40)
    shutil.copytree(built_in_models, settings.data / "models")
    with open_catalogue(settings) as catalogue:
        index_library(Workspace(settings, catalogue), progress=SILENT)
        find_duplicates(Workspace(settings, catalogue), progress=SILENT)
    return settings


def test_there_are_the_four() -> None:
    assert [file.stem for file in NOTEBOOKS] == NAMES


@pytest.mark.real_models
@pytest.mark.parametrize("file", NOTEBOOKS, ids=NAMES)
def test_a_notebook_runs_and_draws(file: Path, small_demo: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMETICA_LIBRARY", str(small_demo.library))
    monkeypatch.setenv("MEMETICA_DATA", str(small_demo.data))
    notebook = nbformat.read(file, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(file.parent)}}).execute()
    assert _pictures(notebook) == _pictures(nbformat.read(file, as_version=4)) > 0


@pytest.mark.parametrize("file", NOTEBOOKS, ids=NAMES)
def test_what_is_stored_was_run_from_top_to_bottom_without_a_failure(file: Path) -> None:
    cells = [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=NAMES)
def test_a_notebook_imports_public_names_of_ours_alone(file: Path) -> None:
    source = "\n".join(cell.source for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert not [alias.name for alias in node.names if alias.name.startswith("_")]
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_")


def _pictures(notebook: nbformat.NotebookNode) -> int:
    return sum(
        "image/png" in output.get("data", {})
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
