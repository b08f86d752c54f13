"""Variants: precision and recall of pairs of memes that are said to share one template.

    python -m benchmarks.variants
    python -m benchmarks.variants real_memes

Pairs are counted within each half; a template lies on one half. The thresholds in use were chosen among the rows of
this table before halves were split as they are now, so that some templates of the held-out half took part in the
choice. The last row finds the pairs as in a library that is too large to compare each with each.
"""

from __future__ import annotations

from argparse import Namespace
from time import perf_counter

import numpy as np

from benchmarks.data import add_library, library_of
from benchmarks.harness import Benchmark, Report, is_held_out
from search.images.fingerprints import LOOK, PDQ
from search.index.variants import ALIKE, NEAR, group_variants

TRIED = ((0.80, 80), (0.85, 80), (0.90, 75), (0.80, 90), (0.85, 90), (0.90, 90), (0.85, 100), (0.85, 256))


BENCHMARK = Benchmark(
    __doc__,
    needs="real_memes, or the drawn demo library by default: see python -m benchmarks.data --help",
    takes="1 minute, and once drawing and indexing (without OCR)",
)
add_library(BENCHMARK)


def measure(given: Namespace, report: Report) -> None:
    """Print precision and recall of pairs for each pair of thresholds."""
    library = library_of(given)
    with library.workspace(ocr=False) as workspace:
        catalogue = workspace.catalogue
        memes = [meme for meme in catalogue.memes.everything() if meme.path in library.templates]
        looks = {id: np.frombuffer(bits, "<f2") for id, _, bits in catalogue.pictures.fingerprints(LOOK)}
        prints = {id: np.frombuffer(bits, np.uint8) for id, _, bits in catalogue.pictures.fingerprints(PDQ)}
    memes = [meme for meme in memes if meme.id in looks and meme.id in prints]
    ids = np.array([meme.id for meme in memes], np.int64)
    rows = np.stack([looks[meme.id] for meme in memes]).astype(np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    bits = np.stack([prints[meme.id] for meme in memes])
    names = np.array([library.templates[meme.path] for meme in memes])
    held_out = np.array([is_held_out(name) for name in names])
    report.note(f"{len(memes):,} memes of {len(set(names)):,} templates")
    columns = {"least cosine of looks": ".2f", "PDQ bits": "d", "tuned: precision": ".3f", "recall": ".3f"}
    columns |= {"held out: precision": ".3f", "recall ": ".3f", "groups": ",d", "seconds": ".2f", "": ""}
    table = report.table("pairs", columns)
    for alike, near, exact_up_to in (*((*one, len(ids)) for one in TRIED), (ALIKE, NEAR, 0)):
        begun = perf_counter()
        representatives = group_variants(ids, rows, bits, alike=alike, near=near, exact_up_to=exact_up_to)
        took = perf_counter() - begun
        halves = [_pairs(representatives[half], names[half]) for half in (~held_out, held_out)]
        chosen = "in use" if (alike, near) == (ALIKE, NEAR) else ""
        if not exact_up_to:
            chosen = "beyond 20,000 memes"
        table.row(alike, near, *halves[0], *halves[1], len(set(representatives.tolist())), took, chosen)


def _pairs(standing: np.ndarray, names: np.ndarray) -> tuple[float, float]:
    """Return precision and recall of the pairs that share a representative."""
    upper = np.triu_indices(len(names), 1)
    said = (standing[:, None] == standing)[upper]
    true = (names[:, None] == names)[upper]
    both = int(np.count_nonzero(said & true))
    return both / max(1, int(np.count_nonzero(said))), both / max(1, int(np.count_nonzero(true)))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
