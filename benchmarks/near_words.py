"""Words near to a misspelled one: signatures of letters against a comparison with all words of nearly its length.

    python -m benchmarks.near_words
    python -m benchmarks.near_words --words 400000

Words are put together from the beginnings and endings of frequent English words. Both find the same words, or the run
ends; they are asked by turns.
"""

from __future__ import annotations

from argparse import Namespace
from itertools import islice
from time import thread_time

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from benchmarks.harness import Benchmark, Report
from search.index.lexical.near_words import NearWords
from search.query.language import english_frequencies

BENCHMARK = Benchmark(__doc__, needs="nothing", takes="10 s")
BENCHMARK.option("--words", 400_000, small=2_000, help="words of the vocabulary")
BENCHMARK.option("--queries", 40, small=5, help="misspelled words to ask for")


def drawn_words(count: int, draw: np.random.Generator) -> list[str]:
    """Return different made-up words of five letters or more."""
    known = list(islice((word for word in english_frequencies() if len(word) > 4), 20_000))
    found: dict[str, None] = {}
    while len(found) < count:
        one, other = (known[place] for place in draw.integers(len(known), size=2))
        found[one[: len(one) // 2 + 1] + other[len(other) // 2 :]] = None
    return list(found)


def compared_with_all(word: str, by_length: dict[int, list[str]], edits: int) -> set[tuple[str, int]]:
    """Return all words at most `edits` from a word, each with its distance, by comparing with each."""
    found = set()
    for length in range(len(word) - edits, len(word) + edits + 1):
        others = by_length.get(length, [])
        near = process.extract(word, others, scorer=OSA.distance, score_cutoff=edits, limit=None)
        found |= {(other, int(distance)) for other, distance, _ in near}
    return found


def measure(given: Namespace, report: Report) -> None:
    """Print the processor time of both."""
    draw = np.random.default_rng(0)
    words = drawn_words(given.words, draw)
    near = NearWords.of(words)
    by_length: dict[int, list[str]] = {}
    for word in words:
        by_length.setdefault(len(word), []).append(word)
    table = report.table("processor time, p50", {"edits": "d", "all words ms": ".2f", "signatures ms": ".2f"})
    for edits in (1, 2):
        spent = []
        for place in draw.integers(len(words), size=given.queries):
            word, at = words[place], int(draw.integers(len(words[place]) - 1))
            slip = word[:at] + word[at + 1] + word[at] + word[at + 2 :]  # two neighbours are swapped
            begun = thread_time()
            wanted = compared_with_all(slip, by_length, edits)
            between = thread_time()
            found = set(near.within(slip, edits))
            spent.append((between - begun, thread_time() - between))
            if found != wanted:
                raise SystemExit(f"{slip}: signatures find {len(found)} words, a comparison with all {len(wanted)}")
        table.row(edits, *(1000 * np.median(spent, axis=0)))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
