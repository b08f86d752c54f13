"""What is learnt for templates that the library does not have: which those are, names, weights and thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from search.categories import suggester as suggester_module
from search.categories.features import Examples, Features, combine_features, unit
from search.categories.fitting import fit_names
from search.categories.model import (
    KNOWN_PICTURE_COSINE,
    ClassScores,
    MixWeights,
    Template,
    mix_probabilities,
    seen_logits,
)
from search.categories.splits import join_near_pictures, split_groups
from search.categories.suggester import Suggester
from search.categories.training import fit, fit_mix_weights, has_known_template, precision_threshold, refit
from search.images.fingerprints import LOOK_DIMENSIONS, PDQ_BITS

Rows = NDArray[np.float32]


def memes(pictures: Rows, *, seed: int = 1) -> Features:
    """Features of memes whose words and looks say nothing, and are all their own."""
    rng = np.random.default_rng(seed)
    return combine_features(
        np.zeros((len(pictures), 4), np.float32),
        rng.standard_normal((len(pictures), LOOK_DIMENSIONS)).astype(np.float32),
        rng.choice([-1.0, 1.0], (len(pictures), PDQ_BITS)).astype(np.float32),
        pictures=pictures,
    )


def filed(features: Features, categories: tuple[str, ...]) -> Examples:
    count = len(features)
    return Examples(np.arange(count), tuple(f"{at:064x}" for at in range(count)), categories, features)


def shown(templates: NDArray[np.int64], *, seed: int) -> Rows:
    """Rows of pictures that have a large part in common and another for each template, with a little noise."""
    kinds = np.random.default_rng(0).standard_normal((64, 40))
    noise = np.random.default_rng(seed).standard_normal((len(templates), 40))
    return (4 + kinds[templates] + 0.2 * noise).astype(np.float32)


def test_a_template_is_known_by_the_row_of_a_picture_that_looks_otherwise() -> None:
    known = memes(shown(np.arange(30), seed=1))
    asked = memes(shown(np.array([3, 7, 50, 60]), seed=2), seed=9)
    assert has_known_template(asked, known).tolist() == [True, True, False, False]
    blind = memes(np.zeros((4, 40), np.float32), seed=9)
    assert not has_known_template(blind, known).any()


@pytest.mark.parametrize("compared", [2_000, 30])
def test_a_suggestion_knows_the_template_by_the_pictures_row(monkeypatch: pytest.MonkeyPatch, compared: int) -> None:
    monkeypatch.setattr(suggester_module, "MOST_COMPARED", compared)
    of = np.arange(60) % 30
    known = filed(memes(shown(of, seed=1)), tuple("AB"[one % 2] for one in of))
    each = np.arange(60)
    found = Suggester(fit(known, names={}, duplicates=each, variants=each)[0], known)
    # Of the memes that look most alike, the picture's own are the first.
    rows = known.features.rows[:1] * np.float32(0.7) + memes(shown(of[:1], seed=3), seed=5).rows * np.float32(0.7)
    looks_otherwise = Features(rows, 4, unit(shown(np.array([0]), seed=4)), ("",))
    assert known.features.descriptor_cosines(looks_otherwise).max() < 0.8
    assert found.suggest(looks_otherwise).known_template
    assert not found.suggest(replace(looks_otherwise, pictures=unit(shown(np.array([40]), seed=4)))).known_template


def test_groups_are_joined_where_pictures_are_near_and_nowhere_else() -> None:
    of = np.repeat(np.arange(20), 5)
    rows = shown(of, seed=1)
    rows[3] = 0  # a picture that no encoder has seen
    groups = np.arange(100)
    groups[3] = 0
    found = join_near_pictures(groups, rows, least=KNOWN_PICTURE_COSINE)
    assert np.array_equal(found[:, None] == found, of[:, None] == of)
    assert join_near_pictures(groups, np.zeros((100, 40), np.float32), least=0.5).tolist() == groups.tolist()
    _, looks = split_groups(filed(memes(rows), ("A",) * 100))
    assert len(np.unique(looks)) > 90, "looks alone tell these apart"


def test_a_name_counts_by_how_much_nearer_it_is_than_it_is_to_other_pictures() -> None:
    rng = np.random.default_rng(4)
    names = {"Cats": np.eye(6, dtype=np.float32)[0], "Faces": np.eye(6, dtype=np.float32)[1]}
    pictures = 0.1 * rng.standard_normal((200, 6)).astype(np.float32)
    pictures[:100, 0] += 0.2  # of cats
    pictures[:, 1] += 0.9  # every picture is near to the other name
    model = fit_names(pictures, names, ("Cats", "Faces", "Unread"))
    logits = seen_logits(model, pictures)
    products = np.array([[float(np.dot(row, name)) for name in names.values()] for row in pictures])
    standard = [[(value - np.mean(column)) / np.std(column) for value in column] for column in products.T]
    found = logits[:, :2].T
    assert found == pytest.approx(np.array(standard), abs=1e-3)
    assert (logits[:, 2] == 0).all()
    assert (logits[:100, 0] > logits[:100, 1]).mean() > 0.7
    nothing = fit_names(pictures[:1], names, ("Cats",))
    assert not nothing.weights.any() and not nothing.bias.any()
    same = fit_names(np.ones((5, 6), np.float32), names, ("Cats",))
    assert seen_logits(same, pictures).tolist() == [[0.0]] * 200


def named_memes(
    count: int, *, seed: int, first: int, categories: int = 4
) -> tuple[Rows, NDArray[np.int64], NDArray[np.int64]]:
    """Pictures of a category's templates share nothing but what its name says; and their templates and categories."""
    templates = first + np.arange(count) % 16
    of = templates % categories
    rows = np.concatenate([shown(templates, seed=seed), 1.5 * np.eye(categories, dtype=np.float32)[of]], axis=1)
    return rows, templates, of


def test_names_decide_where_the_library_has_nothing_alike() -> None:
    rows, templates, of = named_memes(160, seed=1, first=0)
    labels = ("Birds", "Cats", "Dogs", "Horses")
    names = {label: np.eye(44, dtype=np.float32)[40 + at] for at, label in enumerate(labels)}
    known = filed(memes(rows), tuple(labels[one] for one in of))
    each = np.arange(160)
    model, _ = fit(known, names={}, duplicates=each, variants=templates, picture_names=names)
    without, _ = fit(known, names={}, duplicates=each, variants=templates)
    assert model.mix_weights[Template.UNKNOWN].named > 0.1
    assert without.mix_weights[Template.UNKNOWN].named == pytest.approx(0, abs=1e-3)
    asked, _, right = named_memes(64, seed=2, first=40)

    def share(model: object) -> float:
        found = Suggester(model, known)  # type: ignore[arg-type]
        best = [found.suggest(memes(asked[at : at + 1], seed=at + 50)).categories[0].category for at in range(64)]
        return float(np.mean([one == labels[at] for one, at in zip(best, right, strict=True)]))

    assert share(model) >= 0.9
    assert share(model) >= share(without)
    # A category that came since is as near to every picture as the others are on average.
    more = replace(known, categories=("New", *known.categories[1:]))
    again = refit(model, more, names={})
    at = again.categories.index("New")
    assert again.models.named.weights[at] == pytest.approx(model.models.named.weights.mean(axis=0), abs=1e-6)


def test_a_threshold_counts_memes_of_a_group_that_are_right_or_wrong_together_as_fewer() -> None:
    # Nobody can be right more often than .85 here, and ten memes at a time are right or wrong together.
    rng = np.random.default_rng(5)
    chosen = alone = 0
    for _ in range(100):
        groups = np.repeat(np.arange(30), 10)
        sureness = rng.uniform(0.5, 1, 30)[groups] + rng.uniform(0, 1e-6, 300)
        right = (rng.random(30) < 0.85)[groups]
        predicted = np.stack([sureness, 1 - sureness], axis=1)
        truth = np.where(right, 0, 1)
        chosen += precision_threshold(predicted, truth, precision=0.9, groups=groups) is not None
        alone += precision_threshold(predicted, truth, precision=0.9) is not None
    assert chosen <= 25 < alone
    sure = np.linspace(0.95, 0.6, 60)
    guessed = np.column_stack([sure, 1 - sure])
    alike = {
        size: precision_threshold(guessed, np.zeros(60, np.int64), precision=0.85, groups=np.arange(60) // size)
        for size in (1, 2, 20)
    }
    # All right: 15 of their own reach .85 (.1 ** (1 / 15) = .858, .1 ** (1 / 14) = .848), as do 30 pairs, and 3 groups
    # of 20 never do. Twenty are the least in any case.
    assert alike[1] == alike[2] == pytest.approx(0.6)
    assert alike[20] is None


def test_one_large_group_does_not_decide_the_weights_alone() -> None:
    # 60 memes of one template are as words say and not as characters do; 30 of their own are the other way round.
    truth = np.arange(90) % 2
    right = np.eye(2)[truth]
    none = np.zeros((90, 2))
    large = np.arange(90)[:, None] < 60
    scores = ClassScores(np.where(large, right, 1 - right), none, none, np.where(large, 1 - right, right), *[none] * 4)
    groups = np.where(large[:, 0], 0, np.arange(90))
    sizes = np.array([45, 45])
    apart = fit_mix_weights(scores, sizes, truth)
    together = fit_mix_weights(scores, sizes, truth, groups=groups)
    assert apart.words > 0.5 and apart.characters == 0
    assert together.characters > 0.5 and together.words == 0
    by_own = mix_probabilities(scores, sizes, MixWeights(0, 0, 0, 0, characters=together.characters))
    # The 60 count as sqrt(60) = 7.7 beside 30: with the weight of most likelihood, the share of the others.
    assert by_own[60:].max(axis=1) == pytest.approx(30 / (30 + 60**0.5), abs=0.01)
