"""Variants among vectors that were made to be alike, and in answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from search.catalogue import Catalogue
from search.index.local import LocalIndex
from search.index.variants import first_of_each_group, group_variants
from search.meme import Sort
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder


def test_groups_are_those_that_were_made_and_never_more() -> None:
    random = np.random.default_rng(5)
    truth = random.integers(0, 12, 60)
    centers, prints = random.normal(size=(12, 64)), random.integers(0, 256, (12, 32), np.uint8)
    looks = (centers[truth] + 0.02 * random.normal(size=(60, 64))).astype(np.float32)
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    ids = np.arange(60, dtype=np.int64) * 3 + 7
    standing = group_variants(ids, looks, prints[truth])
    assert ((standing[:, None] == standing) == (truth[:, None] == truth)).all()
    assert set(standing) <= set(ids.tolist())


def test_a_library_too_large_to_compare_each_with_each_has_the_same_groups() -> None:
    random = np.random.default_rng(6)
    truth = random.integers(0, 60, 400)
    centers, prints = (
        random.normal(size=(60, 64)),
        np.packbits(random.permuted(np.tile([0, 1], (60, 128)), axis=1), axis=1),
    )
    looks = centers[truth] + 0.3 * random.normal(size=(400, 64))  # some of a group are alike, some are not
    looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float16)
    ids = np.arange(400, dtype=np.int64) + 5
    exact = group_variants(ids, looks, prints[truth])
    assert 60 < len(set(exact.tolist())) < 300
    assert (group_variants(ids, looks, prints[truth], exact_up_to=0) == exact).mean() > 0.98


def test_flat_pictures_and_pictures_alike_in_one_way_only_stay_apart() -> None:
    looks = np.tile(np.eye(1, 8, dtype=np.float32), (4, 1))
    apart = np.random.default_rng(1).integers(0, 256, (2, 32), np.uint8)
    bits = np.concatenate([np.zeros((2, 32), np.uint8), apart])
    assert group_variants(np.arange(4), looks, bits).tolist() == [0, 1, 2, 3]


def test_the_best_of_each_group_stands_where_it_stood() -> None:
    assert first_of_each_group(np.array([9, 4, 9, 2, 4])).tolist() == [0, 1, 3]


@pytest.fixture
def grouped(served_settings: Settings, served: Catalogue) -> Searcher:
    """A searcher to which all memes of a category are one picture."""
    workspace = Workspace(served_settings, served)
    index = LocalIndex.open(workspace.index)
    table = index.columns
    first = {code: table.ids[table.category == code][0] for code in set(table.category.tolist())}
    standing = np.array([first[code] for code in table.category.tolist()])
    grouped = replace(index, columns=replace(table, variant_of=standing))
    return Searcher(workspace, index=grouped, text_encoder=HashingTextEncoder())


@pytest.mark.parametrize("query", ["dog", "type:image", "robot -cat"])
def test_variants_are_one_hit_and_pages_stay_exact(grouped: Searcher, query: str) -> None:
    apart = [hit.meme for hit in grouped.search(query).hits]
    whole = grouped.search(query, collapse=True)
    first = list({meme.category: meme.id for meme in reversed(apart)}.values())[::-1]
    assert sorted(hit.meme.id for hit in whole.hits) == sorted(first)
    assert whole.total + whole.weaker == len({meme.category for meme in apart})
    pages = [grouped.search(query, collapse=True, k=1, offset=at).hits[0].meme.id for at in range(len(whole))]
    assert pages == [hit.meme.id for hit in whole.hits]


@pytest.mark.parametrize("query", ["dog", "robot", "a cat in the sun", "dog -cat"])
def test_among_the_newest_the_newest_variant_that_matches_stands_for_the_others(grouped: Searcher, query: str) -> None:
    apart = grouped.search(query, sort=Sort.NEWEST).hits
    newest = {hit.meme.category: hit.meme.id for hit in reversed(apart)}  # of each group the one that comes first
    seen = [newest[category] for category in dict.fromkeys(hit.meme.category for hit in apart)]
    together = grouped.search(query, sort=Sort.NEWEST, collapse=True)
    assert [hit.meme.id for hit in together] == seen
    matches = [hit.meme for hit in together[: together.total]]
    assert matches == sorted(matches, key=lambda meme: (meme.first_seen, meme.id), reverse=True)


def test_the_count_on_a_card_is_what_opens(grouped: Searcher) -> None:
    for hit in grouped.search("dog", collapse=True).hits:
        opened = {one.meme.id for one in grouped.search(f"variants:{hit.meme.id}", collapse=True).hits}
        assert opened == {hit.meme.id, *hit.variant_ids} and hit.variants == len(opened) - 1


def test_each_apart_when_wanted(grouped: Searcher) -> None:
    whole, apart = grouped.search("type:image", collapse=True), grouped.search("type:image", collapse=False)
    assert whole.total == 5 and apart.total == 9
    assert not any(hit.variants for hit in apart.hits)
