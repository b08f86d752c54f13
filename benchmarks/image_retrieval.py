"""What an image encoder adds to text search: the demo's queries with several weights of the signal `image.text`.

    python -m benchmarks.image_retrieval
    python -m benchmarks.image_retrieval --weights 0 0.15 0.3

Reports nDCG@10 by kind of query and by half; the weight in use was chosen on the tuned half. The encoder is the small
CLIP, which knows drawn scenes only: the figures say nothing about photographs.
"""

from __future__ import annotations

from argparse import Namespace
from collections import defaultdict
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from benchmarks.data import add_library, library_of
from benchmarks.harness import Benchmark, Report, half_of
from search.encoders.clip_models import SMALL
from search.encoders.registry import load_text_encoder
from search.evaluation.metrics import measure as measure_rankings
from search.searcher import Searcher
from search.settings import WEIGHTS
from search.signals import IMAGE_TEXT
from search.workspace import Workspace

MEASURE = "ndcg@10"
BENCHMARK = Benchmark(
    __doc__, needs="nothing (the drawn demo library)", takes="4 minutes the first time, then half a minute"
)
add_library(BENCHMARK)
BENCHMARK.option(
    "--weights", [0.0, WEIGHTS[IMAGE_TEXT]], type=float, nargs="+", help="weights of the signal image.text to compare"
)


def measure(given: Namespace, report: Report) -> None:
    """Print nDCG@10 for each weight, kind and half."""
    library = library_of(given)
    library = replace(library, data=library.root / "data-small-clip") if given.data is None else library
    table = report.table(
        MEASURE, {"weight of the picture": "", "half": "", "queries of": "", MEASURE: ".3f", "of": ",d"}
    )
    with library.workspace(image_encoder=SMALL) as workspace:
        encoder = load_text_encoder(workspace.settings)
        for weight in given.weights:
            weights = MappingProxyType(dict(WEIGHTS) | {IMAGE_TEXT: weight})
            settings = replace(workspace.settings, weights=weights)
            searcher = Searcher(Workspace(settings, workspace.catalogue), text_encoder=encoder)
            values = defaultdict(list)
            for key, one in library.judged():
                paths = [hit.meme.path for hit in searcher.search(one.query, k=10).hits]
                found = measure_rankings([one.relevant], [paths], measures=(MEASURE,))[MEASURE][0]
                values[half_of(key), one.kind].append(found)
            for (half, kind), own in sorted(values.items()):
                table.row(f"{weight:.2f}", half, kind, np.mean(own), len(own))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
