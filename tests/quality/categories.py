"""Categories planted in made-up features: half of the memes say theirs, the others say any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.categories.characters import fit_characters
from search.categories.features import Examples, combine_features
from search.categories.library_audit import find_confused, find_misfiled
from search.categories.model import ClassScores
from search.categories.suggester import Suggester
from search.categories.training import OutOfFold, fit, fit_mix_weights, has_known_template, precision_threshold
from search.images.fingerprints import LOOK_DIMENSIONS, PDQ_BITS
from tests.quality.limits import rows_at

NAMES = ("Animals - Cats", "Animals - Dogs", "Work", "Work - Meetings")
WORDS = 24
LEARNT, ASKED = 320, 200


def _planted() -> Examples:
    """Return memes of four categories: words say the category of half, and a shared look that of some."""
    count = LEARNT + ASKED
    rng = np.random.default_rng(11)
    truth = rng.integers(len(NAMES), size=count)
    loud = rng.random((count, 1)) < 0.5
    words = np.eye(len(NAMES), WORDS)[truth] * 3 * loud + rng.standard_normal((count, WORDS)) * 0.5
    template = rng.integers(40, size=count)  # memes of one template look alike and are of one category mostly
    looks = rng.standard_normal((40, LOOK_DIMENSIONS))[template] + rng.standard_normal((count, LOOK_DIMENSIONS)) * 0.3
    bits = np.where(rng.random((count, PDQ_BITS)) < 0.06, -1, 1) * rng.choice([-1.0, 1.0], (40, PDQ_BITS))[template]
    truth = np.where((rng.random(count) < 0.5) & ~loud[:, 0], template % len(NAMES), truth)
    return Examples(
        np.arange(1, count + 1),
        tuple(f"{at:064x}" for at in range(count)),
        tuple(NAMES[one] for one in truth),
        combine_features(words.astype(np.float32), looks.astype(np.float32), bits.astype(np.float32)),
    )


def suggestions() -> list[tuple[float, bool, bool]]:
    """Return, for each meme that was not learnt, the best guess's probability, whether it is right, and called sure."""
    examples = _planted()
    each = np.arange(LEARNT)
    learnt = examples.of(each)
    model, _ = fit(learnt, names={}, duplicates=each, variants=each)
    suggester = Suggester(model, learnt)
    asked = examples.of(np.arange(LEARNT, LEARNT + ASKED))
    found = [suggester.suggest(asked.features.of(slice(at, at + 1))) for at in range(ASKED)]
    return [
        (float(one.categories[0].probability), one.categories[0].category == category, bool(one.sure))
        for one, category in zip(found, asked.categories, strict=True)
    ]


def calibration_error(sureness: NDArray[np.float64], right: NDArray[np.bool_], *, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal width (Naeini and others, 2015)."""
    places = np.minimum((sureness * bins).astype(int), bins - 1)
    gaps = [
        (places == one).mean() * abs(sureness[places == one].mean() - right[places == one].mean())
        for one in range(bins)
        if (places == one).any()
    ]
    return float(sum(gaps))


def pinned_categories() -> list[Any]:
    """Return what is pinned: the probability of the best guess for every fifth meme."""
    return [round(probability, 4) for probability, _, _ in suggestions()[::5]]


def misfiled() -> dict[str, list[int]]:
    """Return how many issues are found, by the other category's probability, and by the share of confused memes."""
    count, names = 60, ("A", "B")
    truth = np.repeat([0, 1], count // 2)
    rows = np.random.default_rng(9).standard_normal((count, 8)).astype(np.float32)
    looks, bits = np.ones((count, LOOK_DIMENSIONS), np.float32), np.ones((count, PDQ_BITS), np.float32)
    examples = Examples(
        np.arange(1, count + 1),
        tuple(f"{at:064x}" for at in range(count)),
        tuple(names[one] for one in truth),
        combine_features(rows, looks, bits),
    )

    def held_out(wrong: int, sure: float) -> OutOfFold:
        probabilities = np.full((count, 2), 0.45)
        probabilities[np.arange(count), truth] = 0.55
        probabilities[:wrong] = 1 - sure, sure
        return OutOfFold(names, probabilities, np.ones(count, np.bool_))

    sure = np.arange(0.52, 0.98, 0.04)
    return {
        "sure": [len(find_misfiled(examples, held_out(2, float(one)), truth)) for one in sure],
        "confused": [len(find_confused(examples, held_out(wrong, 0.9), truth)) for wrong in range(1, 9)],
    }


def known_templates() -> list[bool]:
    """Return whether a meme's template counts as known, by the cosine of its descriptor with the only other meme's."""
    found = []
    for cosine in np.arange(0.5, 0.98, 0.04):
        looks = np.zeros((2, LOOK_DIMENSIONS), np.float32)
        looks[:, :2] = rows_at(float(cosine))
        features = combine_features(np.ones((2, 4), np.float32), looks, np.ones((2, PDQ_BITS), np.float32))
        found.append(bool(has_known_template(features.of(slice(1, 2)), features.of(slice(0, 1)))[0]))
    return found


def known_pictures() -> list[bool]:
    """Return whether a meme's template counts as known by the cosine of its picture's row with another's."""
    found = []
    for cosine in np.arange(0.4, 0.98, 0.04):
        asked = np.array([[cosine, (1 - cosine**2) ** 0.5, 0]])
        # With its opposite the library's rows have no mean, so that nothing is taken off.
        pictures = np.concatenate([asked, [[1, 0, 0], [-1, 0, 0]]]).astype(np.float32)
        looks = np.eye(3, LOOK_DIMENSIONS, dtype=np.float32)
        features = combine_features(
            np.ones((3, 4), np.float32), looks, np.ones((3, PDQ_BITS), np.float32), pictures=pictures
        )
        found.append(bool(has_known_template(features.of(slice(0, 1)), features.of(slice(1, 3)))[0]))
    return found


def character_sequences() -> list[int]:
    """Return the length of the longest sequences of characters that are learnt, and how many are of a long text."""
    text = "".join(map(chr, np.random.default_rng(3).integers(97, 123, size=40_000)))
    vocabulary = fit_characters([text, text]).vocabulary
    return [max(map(len, vocabulary)), len(vocabulary)]


def mixes() -> list[list[float]]:
    """Return the weights of the mix for so many predictions that are all right, which only the penalty bounds."""
    found = []
    for count in (4, 16, 64):
        truth = np.arange(count) % 2
        right = np.eye(2)[truth]
        none = np.zeros_like(right)
        scores = ClassScores(2 * right, right, right, none, none, none, none, none)
        mix = fit_mix_weights(scores, np.array([count // 2, count - count // 2]), truth)
        found.append([round(weight, 2) for weight in (mix.words, mix.all_features, mix.nearest, mix.sizes)])
    return found


def thresholds() -> list[bool]:
    """Return whether there is a threshold for so many predictions that are all right."""
    found = []
    for count in range(10, 40, 2):
        sure = np.linspace(0.95, 0.6, count)
        guessed = np.column_stack([sure, 1 - sure])
        found.append(precision_threshold(guessed, np.zeros(count, np.int64), precision=0.5) is not None)
    return found


CATEGORY_LIMITS: dict[str, Callable[[], Any]] = {
    "misfiled": misfiled,
    "known templates": known_templates,
    "known pictures": known_pictures,
    "character sequences": character_sequences,
    "mixes": mixes,
    "thresholds": thresholds,
}
