"""Relatives of a meme and pictures that are searched for: only what is alike, in libraries whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.meme import Field, Likeness
from search.ranking.fusion import fuse
from search.ranking.likeness import SAME_PICTURE, is_alike
from search.results import ReasonKind
from search.searcher import Searcher
from search.signals import DESCRIPTOR, semantic
from tests.support.small_library import indexed_searcher

TEMPLATES = 4
TEXTS = ("or not to be or else", "a rocket to the moon", "taxes or death", "the rocket to a moon")


def picture(template: int, *, patch: int = 0) -> Image.Image:
    """Return a template's picture, one patch of which has another colour."""
    values = np.random.default_rng(template).integers(0, 255, (6, 8, 3), np.uint8)
    if patch:
        values[patch % 6, patch % 8] = np.random.default_rng(100 + patch).integers(0, 255, 3)
    return Image.fromarray(values).resize((160, 120), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """Four templates of three memes each; memes 0 of templates 1 and 3 speak of rockets and the moon."""
    folder = tmp_path_factory.mktemp("templates")
    for template in range(TEMPLATES):
        for number in range(3):
            file = folder / "memes" / f"Category {template}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            picture(template, patch=number).save(file)
            letters = np.random.default_rng([template, number]).choice(list("bcdfghjklmnpqrstvwxz"), 12)
            text = TEXTS[template] if number == 0 else "".join(letters)
            file.with_name(file.name + ".txt").write_text(text, "utf-8")
    with indexed_searcher(folder) as (found, _):
        yield found


def paths(searcher: Searcher, meme: str, by: Likeness) -> set[str]:
    return {hit.path for hit in searcher.similar(meme, by=by, k=50)}


def test_the_same_template_is_all_of_it_and_nothing_else(searcher: Searcher) -> None:
    for template in range(TEMPLATES):
        own = {f"Category {template}/{number}.png" for number in range(3)}
        for path in own:
            assert paths(searcher, path, Likeness.TEMPLATE) == own - {path}
            assert paths(searcher, path, Likeness.LOOK) == own - {path}


def test_a_shared_stop_word_is_no_likeness(searcher: Searcher) -> None:
    assert "Category 2/0.png" not in paths(searcher, "Category 0/0.png", Likeness.WORDS)


def test_shared_words_are_a_likeness(searcher: Searcher) -> None:
    answer = searcher.similar("Category 1/0.png", by=Likeness.WORDS)
    assert [hit.path for hit in answer] == ["Category 3/0.png"]
    [says] = [reason for reason in answer[0].reasons if reason.kind is ReasonKind.SAYS]
    assert says.words == ("rocket", "moon")


def test_what_is_like_nothing_has_no_relatives(searcher: Searcher) -> None:
    answer = searcher.similar("Category 0/1.png", by=Likeness.MEANING)
    assert (len(answer), answer.total, answer.weaker) == (0, 0, 0)


def test_everything_similar_is_certain_and_counted(searcher: Searcher) -> None:
    for by in Likeness:
        answer = searcher.similar("Category 1/0.png", by=by, k=50)
        assert all(hit.certain for hit in answer)
        assert answer.total == len(answer) and answer.weaker == 0


def test_a_picture_matches_its_template_alone(searcher: Searcher) -> None:
    answer = searcher.search(image=picture(2), k=50)
    assert {hit.path for hit in answer if hit.certain} == {f"Category 2/{number}.png" for number in range(3)}
    assert answer.total == 3
    assert [reason.in_words() for reason in answer[0].reasons] == ["looks similar"]


def test_a_picture_like_no_other_matches_nothing(searcher: Searcher) -> None:
    answer = searcher.search(image=picture(99), k=50)
    assert answer.total == 0 and not any(hit.certain or hit.reasons for hit in answer)


def test_each_likeness_has_a_floor_of_its_own() -> None:
    scores = np.array([1.0, SAME_PICTURE, SAME_PICTURE - 0.01, 0.65, 0.64])
    look = fuse({DESCRIPTOR: scores}, {DESCRIPTOR: 1.0}, ids=range(5))
    assert is_alike(look, Likeness.TEMPLATE).tolist() == [True, True, False, False, False]
    assert is_alike(look, Likeness.LOOK).tolist() == [True, True, True, True, False]
    assert is_alike(look, Likeness.ALL).tolist() == [True, True, True, True, False]
    meaning = semantic(Field.DESCRIPTION)
    text = fuse({meaning: np.array([0.6, 0.35, 0.34])}, {meaning: 1.0}, ids=range(3))
    assert is_alike(text, Likeness.MEANING).tolist() == [True, True, False]
    assert is_alike(text, Likeness.ALL).tolist() == [True, False, False]


def test_a_library_of_one_has_no_relatives(tmp_path: Path) -> None:
    (tmp_path / "memes/A").mkdir(parents=True)
    picture(1).save(tmp_path / "memes/A/1.png")
    with indexed_searcher(tmp_path) as (only, _):
        assert [len(only.similar("A/1.png", by=by)) for by in Likeness] == [0] * len(Likeness)
