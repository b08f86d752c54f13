"""What seeing adds to search: the demo's queries with and without the image encoder's voice, by kind.

python -m benchmarks.image_retrieval [--weights 0 0.15 …]

Weights are chosen on one half of the memes, by the hash of their paths; the other half is reported apart. The encoder
is the small CLIP, which knows drawn scenes and nothing else: of photographs this says nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from benchmarks.machine import machine
from demo import draw_demo
from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.encoders.clip_models import SMALL
from search.evaluation.metrics import Judged, measured
from search.evaluation.tuning import is_held_out
from search.ranking.retrievers import PICTURE
from search.searcher import Searcher
from search.settings import WEIGHTS, Settings
from search.workspace import Workspace

MEASURE = "ndcg@10"


def main() -> None:
    """Print nDCG@10 for each weight, kind and half."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, WEIGHTS[PICTURE]])
    parser.add_argument("--memes", type=int, default=260)
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(library=Path(folder) / "memes", data=Path(folder) / "data", image_encoder=SMALL, threads=2)
        truth = draw_demo(settings.library, memes=given.memes)
        judged = [Judged(one.text, dict.fromkeys(one.relevant, 1), one.kind.value) for one in truth.queries()]
        with open_catalogue(settings) as catalogue:
            index_library(Workspace(settings, catalogue), progress=SILENT)
            for weight in given.weights:
                weights = MappingProxyType(dict(WEIGHTS) | {PICTURE: weight})
                searcher = Searcher(Workspace(replace(settings, weights=weights), catalogue))
                values = defaultdict(list)
                for one in judged:
                    paths = [hit.meme.path for hit in searcher.search(one.query, k=10).hits]
                    half = "reported" if is_held_out(one) else "tuned on"
                    values[half, one.kind].append(measured([one.relevant], [paths], measures=(MEASURE,))[MEASURE][0])
                for (half, kind), own in sorted(values.items()):
                    print(f"weight {weight:4.2f}, half {half}: {kind:10} {MEASURE} {np.mean(own):.3f} of {len(own)}")


if __name__ == "__main__":
    main()
