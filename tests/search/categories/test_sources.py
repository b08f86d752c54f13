"""What categories are learnt from: characters in any script, pictures' embeddings, the hierarchy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from search.categories.characters import fit_characters
from search.categories.features import Examples, Features, combine_features
from search.categories.fitting import fit_character_model, fit_parents, fit_pictures
from search.categories.model import MixWeights, Template, seen_logits
from search.categories.suggester import Suggester
from search.categories.training import fit, precision_threshold
from search.images.fingerprints import LOOK_DIMENSIONS, PDQ_BITS

# Words of two subjects, in scripts that all-MiniLM-L6-v2 reads, spells out or does not know.
SUBJECTS = {
    "Latin": ("cat meow paw fur whisker purr", "boss meeting office email salary desk"),
    "Cyrillic": ("кот мяу лапа шерсть усы мурлыка", "начальник встреча офис письмо зарплата стол"),
    "Han": ("猫咪 喵喵 爪子 毛茸 胡须 呼噜", "老板 会议 公司 邮件 工资 加班"),
    "Thai": ("แมว เหมียว อุ้งเท้า ขน หนวด คราง", "หัวหน้า ประชุม บริษัท จดหมาย เงินเดือน โต๊ะ"),
    "Arabic": ("قطة مواء مخلب فرو شارب خرخرة", "مدير اجتماع مكتب بريد راتب عمل"),
}


def captions(script: str, *, count: int) -> tuple[list[str], NDArray[np.int64]]:
    """Captions of three words of either subject, and which it is."""
    rng = np.random.default_rng(3)
    of = np.arange(count) % 2
    return [" ".join(rng.choice(SUBJECTS[script][one].split(), 3)) for one in of], of


def features_of(count: int, **parts: object) -> Features:
    """Features whose words and looks say nothing."""
    rng = np.random.default_rng(1)
    return combine_features(
        np.zeros((count, 4), np.float32),
        rng.standard_normal((count, LOOK_DIMENSIONS)).astype(np.float32),
        rng.choice([-1.0, 1.0], (count, PDQ_BITS)).astype(np.float32),
        **parts,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("script", SUBJECTS)
def test_characters_tell_subjects_apart_in_every_script(script: str) -> None:
    texts, of = captions(script, count=80)
    known = fit_characters(texts[:60])
    model = fit_character_model(known, known.rows(texts[:60]), of[:60], count=2)
    assert (model.logits(texts[60:]).argmax(axis=1) == of[60:]).all()


def test_texts_without_a_common_character_say_nothing() -> None:
    texts = ["a", "b", "c"]
    known = fit_characters(texts)
    model = fit_character_model(known, known.rows(texts), np.array([0, 1, 1]), count=2)
    of_a, of_another = model.logits(["a", "z"]).tolist()
    assert of_a == of_another
    silent = fit_characters(["", ""])
    assert silent.vocabulary == ()
    model = fit_character_model(silent, silent.rows(["", ""]), np.array([0, 1]), count=2)
    assert model.logits(["a", ""]).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("purring", 5),
        ("мурлыка", 5),
        ("猫咪喵喵爪子", 3),
        ("เหมียวคราง", 3),
        ("cats and dogs 猫", 5),
        ("猫 ok 爪子毛茸", 3),
    ],
)
def test_sequences_are_shorter_in_scripts_without_spaces(text: str, longest: int) -> None:
    assert max(map(len, fit_characters([text, text]).vocabulary)) == longest


def test_the_first_and_the_last_word_are_as_those_between() -> None:
    known = fit_characters(["a cat b"] * 2)
    at = known.vocabulary.index(" cat ")
    shown = known.rows(["cat", "the cat", "cat sat", "the cat sat", "cats", "bobcat"]).toarray()[:, at] > 0
    assert shown.tolist() == [True, True, True, True, False, False]
    unspaced = fit_characters(["猫咪"] * 2)
    assert unspaced.vocabulary == ("咪", "猫", "猫咪")


def test_a_text_that_the_encoder_cannot_read_decides_a_suggestion() -> None:
    texts, of = captions("Han", count=90)
    names = ("Cats", "Work")
    each = np.arange(70)
    features = features_of(90, texts=texts)
    known = Examples(each, tuple(f"{at:064x}" for at in each), tuple(names[one] for one in of[:70]), features.of(each))
    suggester = Suggester(fit(known, names={}, duplicates=each, variants=each)[0], known)
    found = [suggester.suggest(features.of(slice(at, at + 1))).categories[0].category for at in range(70, 90)]
    assert np.mean([one == names[of[at]] for at, one in enumerate(found, start=70)]) >= 0.9


def pictures(count: int, *, kinds: int, shared: float = 5.0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows of pictures of some kinds, which have a large part in common, and the kind of each."""
    rng = np.random.default_rng(2)
    of = np.arange(count) % kinds
    rows = shared + np.eye(kinds, 12)[of] * 2 + 0.4 * rng.standard_normal((count, 12))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), of


def test_what_pictures_have_in_common_does_not_hide_what_tells_them_apart() -> None:
    rows, of = pictures(160, kinds=4)
    model = fit_pictures(rows[:120], of[:120], count=4)
    assert (seen_logits(model, rows[120:]).argmax(axis=1) == of[120:]).mean() >= 0.95


def test_a_picture_that_no_encoder_has_seen_says_nothing() -> None:
    rows, of = pictures(60, kinds=3)
    model = fit_pictures(rows, of, count=3)
    assert seen_logits(model, np.zeros((1, 12), np.float32)).tolist() == [[0, 0, 0]]
    assert seen_logits(model, np.zeros((1, 0), np.float32)).tolist() == [[0, 0, 0]]


def test_a_hierarchy_is_learnt_where_there_is_one() -> None:
    rows, of = pictures(120, kinds=4)
    nested = ("Animals - Cats", "Animals - Dogs", "Work - Meetings", "Work - Remote")
    logits = seen_logits(fit_parents(rows, of, nested), rows)
    assert np.array_equal(logits[:, 0], logits[:, 1]) and np.array_equal(logits[:, 2], logits[:, 3])
    assert (logits[:, ::2].argmax(axis=1) == of // 2).mean() >= 0.95
    assert not fit_parents(rows, of, ("A", "B", "C", "D")).weights.any()


def test_a_threshold_holds_its_precision_on_memes_that_did_not_choose_it() -> None:
    # Nobody can be right more often than .85 here: a threshold for .9 would be chosen by chance.
    rng = np.random.default_rng(5)
    chosen = 0
    for _ in range(100):
        sureness = rng.uniform(0.5, 1, 150)
        right = rng.random(150) < 0.85
        predicted = np.stack([sureness, 1 - sureness], axis=1)
        chosen += precision_threshold(predicted, np.where(right, 0, 1), precision=0.9) is not None
    assert chosen <= 25


def test_a_pictures_own_copy_in_the_library_does_not_make_its_category_likelier() -> None:
    rows, of = pictures(60, kinds=3)
    each = np.arange(60)
    features = features_of(60, pictures=rows)
    known = Examples(each, tuple(f"{at:064x}" for at in each), tuple("ABC"[one] for one in of), features)
    model = fit(known, names={}, duplicates=each, variants=each)[0]
    # By the density alone, of a picture that looks like those of B and is filed in A.
    model = replace(model, mix_weights={one: MixWeights(0, 0, 0, 0, density=1.0) for one in Template})
    few = replace(known.of(np.array([1, 0, 3, 6, 4, 7])), categories=tuple("AAAABB"))
    asked = few.features.of(slice(0, 1))

    def chances(suggester: Suggester, content: str) -> dict[str, float]:
        found = suggester.suggest(asked, content_hash=content).categories
        return {one.category: one.probability for one in found}

    without = chances(Suggester(model, few.of(np.arange(1, 6))), "")
    assert chances(Suggester(model, few), few.contents[0]) == pytest.approx(without, abs=0.1)
    assert without["A"] < 0.2
    assert chances(Suggester(model, few), "")["A"] > 0.4
