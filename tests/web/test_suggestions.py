"""Suggested categories: which of them one key may accept, and what is suggested before anything is learnt."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from search.catalogue import UploadState
from search.categories.suggester import RankedCategory, Suggestion
from web.suggestions import from_suggestion, suggest_categories


def catalogue(*, decided: list[str], large: list[tuple[str, int]] | None = None) -> Any:
    """What suggestions ask of a catalogue; `decided` are the categories of accepted uploads, the latest first."""
    uploads = [SimpleNamespace(state=UploadState.ACCEPTED, category=one) for one in decided]
    memes = SimpleNamespace(many=lambda ids: [], categories=lambda: [(*one, 0) for one in large or []])
    return SimpleNamespace(memes=memes, uploads=SimpleNamespace(decided=lambda number: uploads[:number]))


@pytest.mark.parametrize(("probability", "accepts"), [(0.33, True), (0.27, False)])
def test_one_key_accepts_a_category_of_three_in_ten(probability: float, accepts: bool) -> None:
    ranked = (RankedCategory("Cats", probability), RankedCategory("Dogs", 0.26))
    found = from_suggestion(catalogue(decided=[]), Suggestion(ranked, None, None, True, 0.9))
    assert [one.has_evidence for one in found.categories] == [accepts, False], "only the first"


def test_categories_of_the_last_thirty_decisions_come_before_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.suggestions.similar_memes", lambda catalogue, upload: [])
    upload: Any = SimpleNamespace()
    known = catalogue(decided=["Cats"] * 29 + ["Frogs", "Long ago"], large=[("Dogs", 90), ("Long ago", 7)])
    found = suggest_categories(known, upload)
    assert [(one.category, one.why) for one in found.categories] == [
        ("Cats", "chosen recently"),
        ("Frogs", "chosen recently"),
        ("Dogs", "large category"),
        ("Long ago", "large category"),
    ]
    assert not any(one.has_evidence for one in found.categories)
