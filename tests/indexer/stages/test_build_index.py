"""Building the index: when it happens, what it holds, and two builders at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.stages.build_index import build_index
from search.catalogue import Catalogue, open_catalogue
from search.errors import DataFolderError
from search.index.generations import live_generation
from search.index.local import LocalIndex
from search.meme import Field
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.tiny import TINY

ENCODER = HashingTextEncoder.name


def test_an_index_of_the_catalogue_as_it_is_stays(workspace: Workspace) -> None:
    live = live_generation(workspace.index)
    assert build_index(workspace, text_encoder=ENCODER).generation == live
    assert build_index(workspace, text_encoder=ENCODER, force=True).generation != live


@pytest.mark.parametrize("change", ["catalogue", "encoder", "damage", "deletion"])
def test_any_change_builds_anew(workspace: Workspace, change: str) -> None:
    index = workspace.index
    live = live_generation(index)
    if change == "catalogue":
        workspace.catalogue.memes.mark_vanished([workspace.catalogue.memes.at("Dogs/fine.png").id])
    elif change == "damage":
        (index / str(live) / "manifest.json").write_text("{")
    elif change == "deletion":
        (index / "CURRENT").unlink()
    manifest = build_index(workspace, text_encoder="other" if change == "encoder" else ENCODER)
    assert manifest.generation != live
    assert manifest.memes == len(TINY) - (change == "catalogue")
    assert manifest.revision == workspace.catalogue.revision()


def test_every_field_holds_what_the_catalogue_holds(tiny_settings: Settings, tiny_indexed: Catalogue) -> None:
    index = LocalIndex.open(tiny_settings.data / "index")
    assert index.whitening is not None
    for field, vectors in index.dense.items():
        rows = list(tiny_indexed.texts.passages(field))
        assert vectors.owners.tolist() == [row.meme_id for row in rows]
        assert index.columns.ids[index.columns.has[field]].tolist() == sorted({row.meme_id for row in rows})
        if rows:
            raw = HashingTextEncoder().encode([row.passage.body for row in rows])
            stored = np.concatenate([vectors.rows_of(id) for id in sorted({row.meme_id for row in rows})])
            assert stored == pytest.approx(index.whitening(raw.astype(np.float16)), abs=2e-3)
    assert index.columns.has[Field.LOOK].all()
    assert len(index.lexical) == len(TINY)


def test_builders_at_once_leave_one_whole_index(workspace: Workspace) -> None:
    def build(_: int) -> str:
        return build_index(workspace, text_encoder=ENCODER, force=True).generation

    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(build, range(4)))
    assert len(set(names)) == 4
    folder = workspace.index
    assert LocalIndex.open(folder).manifest.generation == max(names)
    assert not list(folder.glob("building-*"))


def test_an_empty_catalogue_has_an_index_that_opens(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with open_catalogue(settings) as catalogue:
        manifest = build_index(Workspace(settings, catalogue), text_encoder=ENCODER)
    assert manifest.memes == len(LocalIndex.open(tmp_path / "index").columns) == 0


def test_a_data_folder_that_cannot_be_written_is_said(tiny_settings: Settings, tiny_indexed: Catalogue) -> None:
    blocked = replace(tiny_settings, data=tiny_settings.library / TINY[0].path / "below a file")
    with pytest.raises(DataFolderError):
        build_index(Workspace(blocked, tiny_indexed), text_encoder=ENCODER)
