"""The frozen library, indexed once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace
from tests.quality.frozen import FrozenEncoder, write_library


def index_frozen(folder: Path, encoder: FrozenEncoder) -> Workspace:
    """Write the frozen library into a folder, index it, and return its workspace."""
    settings = Settings(
        library=write_library(folder / "memes"), data=folder / "data", ocr_engine="none", text_encoder=encoder.name
    )
    workspace = Workspace(settings, open_catalogue(settings))
    index_library(workspace, progress=SILENT, load_encoder=lambda _: encoder)
    return workspace


@pytest.fixture(scope="session")
def frozen_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The workspace of the frozen library; tests read it and none changes it."""
    with index_frozen(tmp_path_factory.mktemp("frozen"), FrozenEncoder()) as workspace:
        yield workspace


@pytest.fixture(scope="session")
def frozen_searcher(frozen_workspace: Workspace) -> Iterator[Searcher]:
    """A searcher over the frozen library."""
    with Searcher(frozen_workspace, text_encoder=FrozenEncoder()) as searcher:
        yield searcher
