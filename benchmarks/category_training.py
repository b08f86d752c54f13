"""How long learning categories takes at any size, and how long one suggestion does.

    python -m benchmarks.category_training [--memes 30000] [--categories 100]

Memes are drawn: each category has templates of its own, each template a look and a fingerprint that its memes vary, and
words that lean towards the category. What takes time does not depend on what they mean.
"""

from __future__ import annotations

import argparse
import resource
from time import perf_counter

import numpy as np

from benchmarks.machine import machine
from search.categories.features import Known, traits_of
from search.categories.splits import groups_of
from search.categories.suggester import Suggester
from search.categories.training import fit, fit_again
from search.images.fingerprints import LOOK_DIMENSIONS, PDQ_BITS

WORDS = 384
TEMPLATES = 10  # of each category


def drawn(memes: int, categories: int, *, seed: int) -> Known:
    """Return memes that were never seen, with their traits."""
    rng = np.random.default_rng(seed)
    of = rng.integers(categories * TEMPLATES, size=memes)
    category = of % categories
    meaning = rng.standard_normal((categories, WORDS), np.float32)
    look = np.abs(rng.standard_normal((categories * TEMPLATES, LOOK_DIMENSIONS), np.float32))
    bits = rng.standard_normal((categories * TEMPLATES, PDQ_BITS), np.float32)
    return Known(
        np.arange(memes, dtype=np.int64),
        tuple(f"{at:064x}" for at in range(memes)),
        tuple(f"Category {one:03}" for one in category),
        traits_of(
            meaning[category] + 3 * rng.standard_normal((memes, WORDS), np.float32),
            look[of] + 0.3 * rng.standard_normal((memes, LOOK_DIMENSIONS), np.float32),
            np.sign(bits[of] + 0.5 * rng.standard_normal((memes, PDQ_BITS), np.float32)),
        ),
    )


def main() -> None:
    """Print seconds, and the memory at its highest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memes", type=int, default=30_000)
    parser.add_argument("--categories", type=int, default=100)
    given = parser.parse_args()
    print(machine())
    known = drawn(given.memes, given.categories, seed=7)
    every = np.arange(given.memes)
    began = perf_counter()
    duplicates, variants = groups_of(known)
    print(f"groups of {given.memes:,} memes: {perf_counter() - began:.1f} s")
    began = perf_counter()
    model, held = fit(known.of(every[:-1]), names={}, duplicates=duplicates[:-1], variants=variants[:-1])
    right = np.mean(np.array(held.categories)[held.probabilities.argmax(axis=1)] == np.array(known.categories[:-1]))
    print(f"learning anew, with what is held out: {perf_counter() - began:.1f} s; top-1 {right:.3f}")
    began = perf_counter()
    model = fit_again(model, known, names={})
    print(f"learning one more: {perf_counter() - began:.2f} s")
    suggester = Suggester(model, known)
    times = []
    for at in range(50):
        began = perf_counter()
        suggester.suggest(known.traits.of(every[at : at + 1]))
        times.append(perf_counter() - began)
    print(f"a suggestion: p50 {1000 * float(np.median(times)):.1f} ms, of 50")
    print(f"memory at its highest: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
