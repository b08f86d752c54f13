"""Whether pictures of one template are found to be variants: precision and recall of pairs, on templates not tuned on.

    python -m benchmarks.variants LIBRARY DATA

LIBRARY holds `truth.json` (the template of each meme) and `memes/`; DATA its catalogue. A template is in the half to
tune on or in the other by a hash of its name. Pairs are counted within each half.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.machine import machine
from search.catalogue import open_catalogue
from search.images.fingerprints import LOOK, PDQ
from search.index.variants import ALIKE, NEAR, group_variants
from search.settings import Settings

TRIED = ((0.80, 80), (0.85, 80), (0.90, 75), (0.80, 90), (0.85, 90), (0.90, 90), (0.85, 100), (0.85, 256))


def templates(library: Path) -> Mapping[str, str]:
    """Return the template of each meme by its path; copies have their original's."""
    truth = json.loads((library / "truth.json").read_text("utf-8"))
    found = {one["path"]: one["template"] for one in truth["memes"]}
    waiting = list(truth["duplicates"])
    while rest := [one for one in waiting if one["original"] not in found]:
        if len(rest) == len(waiting):
            break
        found |= {one["copy"]: found[one["original"]] for one in waiting if one["original"] in found}
        waiting = rest
    found |= {one["copy"]: found[one["original"]] for one in waiting if one["original"] in found}
    return {path.removeprefix("memes/"): template for path, template in found.items()}


def main() -> None:
    """Print precision and recall of the pairs for each pair of thresholds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    template_of = templates(given.library)
    settings = Settings(library=given.library / "memes", data=given.data)
    with open_catalogue(settings, create=False) as catalogue:
        memes = [meme for meme in catalogue.memes.everything() if meme.path in template_of]
        looks = {id: np.frombuffer(bits, "<f2") for id, _, bits in catalogue.pictures.fingerprints(LOOK)}
        prints = {id: np.frombuffer(bits, np.uint8) for id, _, bits in catalogue.pictures.fingerprints(PDQ)}
    memes = [meme for meme in memes if meme.id in looks and meme.id in prints]
    ids = np.array([meme.id for meme in memes], np.int64)
    rows = np.stack([looks[meme.id] for meme in memes]).astype(np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    bits = np.stack([prints[meme.id] for meme in memes])
    names = np.array([template_of[meme.path] for meme in memes])
    tuned = np.array([zlib.crc32(name.encode()) % 2 == 0 for name in names])
    print(machine())
    print(f"{len(memes):,} memes of {len(set(names)):,} templates\n")
    print("look  bits   tuned on: precision recall   other half: precision recall   cards   seconds")
    for alike, near in TRIED:
        begun = perf_counter()
        standing = group_variants(ids, rows, bits, alike=alike, near=near)
        took = perf_counter() - begun
        halves = [_pairs(standing[half], names[half]) for half in (tuned, ~tuned)]
        chosen = "  chosen" if (alike, near) == (ALIKE, NEAR) else ""
        print(
            f"{alike:.2f}  {near:4}            {halves[0][0]:.3f}  {halves[0][1]:.3f}                {halves[1][0]:.3f}"
            f"  {halves[1][1]:.3f}   {len(set(standing.tolist())):5}    {took:5.2f}{chosen}"
        )


def _pairs(standing: np.ndarray, names: np.ndarray) -> tuple[float, float]:
    """Return the precision and the recall of pairs that share who stands for them."""
    upper = np.triu_indices(len(names), 1)
    said = (standing[:, None] == standing)[upper]
    true = (names[:, None] == names)[upper]
    both = np.count_nonzero(said & true)
    return both / max(1, np.count_nonzero(said)), both / max(1, np.count_nonzero(true))


if __name__ == "__main__":
    main()
