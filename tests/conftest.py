"""Fixtures named for the state that they are in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the test doubles beside the tests

from fakes import HashingTextEncoder
from tiny import draw_tiny_library

from indexer.pipeline import index_library
from indexer.progress import Silence
from search.catalogue import Catalogue, open_catalogue
from search.settings import Settings


@pytest.fixture
def tiny_settings(tmp_path: Path) -> Settings:
    """Settings over the tiny library, drawn but not indexed; nothing reads pictures' words."""
    library = draw_tiny_library(tmp_path / "memes")
    return Settings(library=library, data=tmp_path / "data", ocr_engine="none", text_encoder=HashingTextEncoder.name)


@pytest.fixture
def tiny_indexed(tiny_settings: Settings) -> Iterator[Catalogue]:
    """The catalogue of the tiny library, indexed by the hashing encoder."""
    with open_catalogue(tiny_settings) as catalogue:
        index_library(tiny_settings, catalogue, progress=Silence(), load_encoder=lambda settings: HashingTextEncoder())
        yield catalogue
