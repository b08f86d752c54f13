"""The store of compared pairs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from search.catalogue import Catalogue, MemeRecord, Pair, open_catalogue
from search.evidence import Evidence, Tier
from search.meme import MediaType
from search.settings import Settings


def _enter(catalogue: Catalogue, path: str, content: str) -> int:
    return catalogue.memes.put(
        MemeRecord(path, path.split("/")[0], content, MediaType.IMAGE, 1, 1, datetime(2024, 1, 1, tzinfo=UTC), "mtime")
    )


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Catalogue]:
    """A catalogue of three memes with the contents a, b, c."""
    with open_catalogue(Settings(data=tmp_path)) as catalogue:
        for content in "abc":
            _enter(catalogue, f"C/{content}.png", content)
        yield catalogue


def _evidence(tier: Tier | None, one: float = 1.0, other: float = 0.5) -> Evidence:
    return Evidence(tier, covers_one=one, covers_other=other, differing=0.0)


def test_a_pair_is_one_pair_whoever_is_named_first(three: Catalogue) -> None:
    three.pairs.add([Pair("b", "a", _evidence(Tier.EDITED, 1.0, 0.5))])
    assert list(three.pairs.all()) == [Pair("a", "b", _evidence(Tier.EDITED, 0.5, 1.0))]
    assert three.pairs.of("b") == [Pair("b", "a", _evidence(Tier.EDITED, 1.0, 0.5))]
    assert three.pairs.of("a") == [Pair("a", "b", _evidence(Tier.EDITED, 0.5, 1.0))]
    assert three.pairs.compared() == {("a", "b")}


def test_what_is_not_alike_is_remembered_and_not_shown(three: Catalogue) -> None:
    three.pairs.add([Pair("a", "b", _evidence(None)), Pair("a", "c", _evidence(Tier.VARIANT))])
    assert [pair.other for pair in three.pairs.all()] == ["c"]
    assert list(three.pairs.all(Tier.SAME)) == []
    assert [pair.tier for pair in three.pairs.all(Tier.VARIANT)] == [Tier.VARIANT]
    assert three.pairs.compared() == {("a", "b"), ("a", "c")}


def test_pairs_of_a_vanished_meme_are_hidden_until_it_is_back(three: Catalogue) -> None:
    three.pairs.add([Pair("a", "b", _evidence(Tier.SAME))])
    three.memes.mark_vanished([three.memes.at("C/b.png").id])
    assert list(three.pairs.all()) == [] and three.pairs.of("a") == []
    _enter(three, "Elsewhere/renamed.png", "b")
    assert [pair.key for pair in three.pairs.all()] == [("a", "b")]


def test_another_version_knows_nothing_of_this_one(three: Catalogue) -> None:
    three.pairs.add([Pair("a", "b", _evidence(Tier.SAME))])
    three.pairs.mark_searched(["a"])
    assert three.pairs.compared("overlay-99") == set() and three.pairs.searched("overlay-99") == set()
    assert list(three.pairs.all(version="overlay-99")) == []
    assert three.pairs.searched() == {"a"}


def test_compared_again_the_later_evidence_stands(three: Catalogue) -> None:
    three.pairs.add([Pair("a", "b", _evidence(Tier.SAME))])
    three.pairs.add([Pair("a", "b", _evidence(Tier.VARIANT))])
    assert [pair.tier for pair in three.pairs.of("a")] == [Tier.VARIANT]


def test_a_content_is_no_pair_with_itself_and_nothing_of_the_batch_is_kept(three: Catalogue) -> None:
    with pytest.raises(ValueError, match="paired with itself"):
        three.pairs.add([Pair("a", "b", _evidence(Tier.SAME)), Pair("c", "c", _evidence(Tier.SAME))])
    assert three.pairs.compared() == set()
