"""How well the fused ranking finds memes by what they mean, beside each field alone, on the judged queries of CM50.

    python ../shared/cm50/build_library.py LIBRARY
    memetica --library LIBRARY/memes --data DATA index
    python -m benchmarks.retrieval LIBRARY DATA

A query's only right answer is the meme that it was written about. The weights were tuned on one half of the queries'
memes, parted by their ids' hashes; the other half is reported apart. Names tell the template, and are searched.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.machine import machine
from search.catalogue import Catalogue, open_catalogue
from search.encoders.base import TextEncoder
from search.encoders.registry import load_text_encoder
from search.evaluation.metrics import Judged, Metric, evaluate
from search.meme import Field
from search.searcher import Searcher
from search.settings import WEIGHTS, Settings
from search.workspace import Workspace

QUERIES = Path(__file__).parents[2] / "shared" / "cm50" / "queries_dev.json"
RANKERS = {
    "fused": dict(WEIGHTS),
    "words of all text": {"words.everything": 1.0},
    "words of the picture": {"words.ocr": 1.0},
    "meaning of the picture's words": {"meaning.ocr": 1.0},
    "meaning of the description": {"meaning.description": 1.0},
}


def half_of(id: str) -> str:
    """Return on which half of the queries an id lies."""
    return "tuned" if int(hashlib.sha256(id.encode()).hexdigest(), 16) % 2 == 0 else "held out"


def judged_queries(library: Path, queries: Path, undescribed: set[str]) -> dict[str, list[Judged]]:
    """Return the judged queries of all memes, of the half not tuned on, and of the memes without a description."""
    truth = json.loads((library / "truth.json").read_text("utf-8"))
    found: dict[str, list[Judged]] = {"all": [], "held out": [], "no description": []}
    for id, kinds in json.loads(queries.read_text("utf-8")).items():
        path = truth[id]["path"].removeprefix("memes/")
        for kind, query in kinds.items():
            one = Judged(query, {path: 1}, kind)
            found["all"].append(one)
            if half_of(id) == "held out":
                found["held out"].append(one)
            if path in undescribed:
                found["no description"].append(one)
    return found


def without_description(catalogue: Catalogue) -> set[str]:
    """Return the paths of the memes that have neither a simple nor a detailed description."""
    described = {
        row.meme_id
        for field in (Field.DESCRIPTION, Field.VISUAL, Field.ANALYSIS)
        for row in catalogue.texts.passages(field)
    }
    return {meme.path for meme in catalogue.memes.everything() if meme.id not in described}


def measure(workspace: Workspace, encoder: TextEncoder, judged: Sequence[Judged], *, field: str) -> list[Metric]:
    """Return the measures of the searcher with one ranker's weights."""
    own = replace(workspace, settings=replace(workspace.settings, weights=RANKERS[field]))
    with Searcher(own, text_encoder=encoder) as searcher:
        return evaluate(judged, lambda query: [hit.path for hit in searcher.search(query, k=100)], field=field)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("library", type=Path)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--queries", type=Path, default=QUERIES)
    given = arguments.parse_args()
    print(machine())
    settings = Settings(library=given.library / "memes", data=given.data)
    with open_catalogue(settings, create=False) as catalogue:
        encoder = load_text_encoder(settings)
        sets = judged_queries(given.library, given.queries, without_description(catalogue))
        for name, judged in sets.items():
            print(f"\n{name:32}{'':8}ndcg@10 recall@1 recall@10  mrr")
            for field in RANKERS if name == "all" else ["fused"]:
                rows: dict[str, list[Metric]] = {}
                for metric in measure(Workspace(settings, catalogue), encoder, judged, field=field):
                    rows.setdefault(metric.kind, []).append(metric)
                for kind, metrics in rows.items():
                    values = "   ".join(f"{metric.value:.3f}" for metric in metrics)
                    print(f"{field:32}{kind:8}{values}   of {metrics[0].queries}")


if __name__ == "__main__":
    main()
