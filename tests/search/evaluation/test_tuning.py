"""Fitting over made-up votes of which the truth is known, and the asker beside the searcher."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from search.catalogue import Catalogue
from search.errors import WrongUse
from search.evaluation.metrics import Judged
from search.evaluation.tuning import FEWEST, Asker, Sheet, fit, is_held_out, keep_weights
from search.index.reader import Index
from search.searcher import Searcher
from search.settings import Settings, keep_setting, load_settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder

PATHS = {id: f"Cats/{id}.jpg" for id in range(400)}


def told(count: int, *, honest: str) -> tuple[list[Judged], list[Sheet]]:
    """Queries that one voter answers rightly, while the other gives random scores."""
    random = np.random.default_rng(3)
    judged, sheets = [], []
    for query in range(count):
        ids = np.arange(20) + query
        votes = {"words.ocr": random.random(20), "meaning.ocr": random.random(20)}
        right = int(random.integers(20))
        votes[honest] = np.where(np.arange(20) == right, 0.7, 0.6)
        judged.append(Judged(str(query), {PATHS[int(ids[right])]: 1}, ("quote", "title")[query % 2]))
        sheets.append(Sheet(ids, votes))
    return judged, sheets


def test_weights_go_to_the_voter_that_is_right() -> None:
    judged, sheets = told(200, honest="meaning.ocr")
    found = fit(judged, sheets, {"words.ocr": 0.5, "meaning.ocr": 0.5}, paths=PATHS)
    assert found.after["meaning.ocr"] > 5 * found.after["words.ocr"]
    assert found.held_out_after[""] > found.held_out_before[""] + 0.3
    assert found.is_better
    assert all(one.p < 0.001 for one in found.comparisons)


def test_chance_alone_is_not_taken_for_a_gain() -> None:
    judged, sheets = told(200, honest="words.ocr")
    random = np.random.default_rng(4)
    blind = [replace(sheet, scores={name: random.random(20) for name in sheet.scores}) for sheet in sheets]
    found = fit(judged, blind, {"words.ocr": 0.5, "meaning.ocr": 0.5}, paths=PATHS)
    assert all(one.p > 0.05 for one in found.comparisons)


def test_what_helps_one_kind_at_anothers_cost_is_not_better() -> None:
    judged, sheets = told(100, honest="words.ocr")
    found = fit(judged, sheets, {"words.ocr": 1.0, "meaning.ocr": 0.1}, paths=PATHS)
    worse = replace(
        found,
        held_out_before={"quote": 0.5, "title": 0.5, "": 0.5},
        held_out_after={"quote": 0.8, "title": 0.48, "": 0.64},
    )
    assert not worse.is_better


def test_all_queries_of_a_meme_lie_on_one_half() -> None:
    memes = [Judged(f"{query}", {path: 1}) for path in PATHS.values() for query in ("a", "b")]
    halves = {path: {is_held_out(one) for one in memes if path in one.relevant} for path in PATHS.values()}
    assert all(len(sides) == 1 for sides in halves.values())
    assert 150 < sum(True in sides for sides in halves.values()) < 250


def test_too_few_queries_are_refused() -> None:
    judged, sheets = told(FEWEST, honest="words.ocr")
    with pytest.raises(WrongUse, match="too few"):
        fit(judged, sheets, {"words.ocr": 1.0}, paths=PATHS)


def test_kept_weights_are_the_settings_and_leave_the_others_alone(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"site_name": "Mémes"}), "utf-8")
    keep_weights(tmp_path, {"words.ocr": 0.25, "meaning.ocr": 0.5})
    settings = load_settings({"data": tmp_path}, environ={})
    assert (settings.weights["words.ocr"], settings.weights["meaning.ocr"]) == (0.25, 0.5)
    assert settings.site_name == "Mémes"
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def test_a_kill_while_writing_leaves_the_settings_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.json").write_text('{"site_name": "Mine"}', "utf-8")

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        keep_weights(tmp_path, {"words.ocr": 0.25})
    assert (tmp_path / "settings.json").read_text("utf-8") == '{"site_name": "Mine"}'


def test_settings_that_cannot_be_read_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{", "utf-8")
    with pytest.raises(WrongUse, match="cannot be read"):
        keep_weights(tmp_path, {"words.ocr": 0.25})
    assert (tmp_path / "settings.json").read_text("utf-8") == "{"


def test_a_kept_path_may_be_no_text(tmp_path: Path) -> None:
    library = os.fsdecode(b"/memes/caf\xe9/\xd0\x9a\xd0\xbe\xd1\x82\xd1\x8b")
    keep_setting(tmp_path, "library", library)
    assert load_settings({"data": tmp_path}, environ={}).library == Path(library)
    assert "Коты" in (tmp_path / "settings.json").read_text("utf-8")


@pytest.mark.parametrize("query", ["a cat at a clock", "this is fine", "robot toster", "labour that nobody sees"])
def test_the_asker_ranks_as_the_searcher_does(served_settings: Settings, served: Catalogue, query: str) -> None:
    encoder = HashingTextEncoder()
    hits = Searcher(Workspace(served_settings, served), text_encoder=encoder).search(query, k=50).hits
    asker = Asker(Index.open(served_settings.data / "index"), encoder, served_settings.weights)
    ballot, _ = asker.ballot(query)
    scores = {int(ballot.ids[at]): float(ballot.fused.scores[at]) for at in ballot.fused.order}
    assert hits
    assert [hit.meme.id for hit in hits] == [id for id, score in scores.items() if score > 0]
    assert [hit.score for hit in hits] == pytest.approx([scores[hit.meme.id] for hit in hits], abs=1e-6)
    assert asker.sheet(query).ranked(served_settings.weights)[:3] == [hit.meme.id for hit in hits][:3]
