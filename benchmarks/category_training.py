"""Category training at the size of a large library: seconds to train, to add one example, to suggest.

    python -m benchmarks.category_training
    python -m benchmarks.category_training --memes 30000 --categories 100

Memes are synthetic: each category has its own templates, each template a descriptor and a fingerprint that its memes
vary, an embedding of its picture, and words that are more frequent in the category. Times do not depend on the content.
"""

from __future__ import annotations

from argparse import Namespace
from time import perf_counter

import numpy as np

from benchmarks.harness import Benchmark, Report, peak_memory, percentiles, timed
from search.categories.features import Examples, combine_features
from search.categories.splits import split_groups
from search.categories.suggester import Suggester
from search.categories.training import fit, refit
from search.images.fingerprints import LOOK_DIMENSIONS, PDQ_BITS

WORDS = 384
PICTURES = 1664  # as many as the built-in image encoder has
CAPTION, VOCABULARY = 12, 5_000  # words of a text, and of all texts
TEMPLATES = 10  # of each category
SUGGESTIONS = 50
BENCHMARK = Benchmark(__doc__, needs="nothing", takes="3 minutes")
BENCHMARK.option("--memes", 30_000, small=300, help="made-up memes")
BENCHMARK.option("--categories", 100, small=5, help="categories of them")


def drawn(memes: int, categories: int, *, seed: int) -> Examples:
    """Return synthetic memes with their features."""
    rng = np.random.default_rng(seed)
    of = rng.integers(categories * TEMPLATES, size=memes)
    category = of % categories
    meaning = rng.standard_normal((categories, WORDS), np.float32)
    look = np.abs(rng.standard_normal((categories * TEMPLATES, LOOK_DIMENSIONS), np.float32))
    bits = rng.standard_normal((categories * TEMPLATES, PDQ_BITS), np.float32)
    seen = rng.standard_normal((categories * TEMPLATES, PICTURES), np.float32)
    letters = rng.integers(97, 123, size=(VOCABULARY, 6), dtype=np.uint8)
    vocabulary = np.array([bytes(word).decode("ascii") for word in letters])
    return Examples(
        np.arange(memes, dtype=np.int64),
        tuple(f"{at:064x}" for at in range(memes)),
        tuple(f"Category {one:03}" for one in category),
        combine_features(
            meaning[category] + 3 * rng.standard_normal((memes, WORDS), np.float32),
            look[of] + 0.3 * rng.standard_normal((memes, LOOK_DIMENSIONS), np.float32),
            np.sign(bits[of] + 0.5 * rng.standard_normal((memes, PDQ_BITS), np.float32)),
            pictures=seen[of] + 0.5 * rng.standard_normal((memes, PICTURES), np.float32),
            texts=[" ".join(vocabulary[said]) for said in rng.integers(len(vocabulary), size=(memes, CAPTION))],
        ),
    )


def measure(given: Namespace, report: Report) -> None:
    """Print seconds, and the peak memory."""
    known = drawn(given.memes, given.categories, seed=7)
    every = np.arange(given.memes)
    table = report.table(f"{given.memes:,} memes of {given.categories} categories", {"step": "", "seconds": ".2f"})
    begun = perf_counter()
    duplicates, variants = split_groups(known)
    table.row("groups of duplicates and variants", perf_counter() - begun)
    begun = perf_counter()
    model, held = fit(known.of(every[:-1]), names={}, duplicates=duplicates[:-1], variants=variants[:-1])
    right = np.mean(np.array(held.categories)[held.probabilities.argmax(axis=1)] == np.array(known.categories[:-1]))
    table.row("training, with held-out predictions", perf_counter() - begun)
    begun = perf_counter()
    model = refit(model, known, names={})
    table.row("adding one example", perf_counter() - begun)
    suggester = Suggester(model, known)
    p50, _ = percentiles(timed(lambda at: suggester.suggest(known.features.of(every[at : at + 1])), range(SUGGESTIONS)))
    report.note(f"one suggestion: p50 {p50:.1f} ms; top-1 of the held-out predictions {right:.3f}")
    report.note(f"memory at its highest: {peak_memory():,.0f} MB")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
