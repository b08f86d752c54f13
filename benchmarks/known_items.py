"""How well memes are found by words quoted from them, slips of the finger included, and by what their picture shows.

python ../shared/real_memes/build_library.py LIBRARY --memes 1000 --seed 7
memetica --library LIBRARY/memes --data DATA index
python -m benchmarks.known_items LIBRARY DATA
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean

from benchmarks.machine import machine
from search.catalogue import open_catalogue
from search.encoders.registry import load_text_encoder
from search.meme import Likeness
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace

SHARED = Path(__file__).parents[2] / "shared" / "real_memes"
UNREADABLE = {"flip", "crop"}  # mirrored text cannot be read, a crop may cut it


def ranked(searcher: Searcher, query: str, k: int) -> list[str]:
    """Return the paths of the best memes."""
    return [hit.meme.path for hit in searcher.search(query, k=k).hits]


def quotes(searcher: Searcher, truth: dict) -> None:
    """Print how often the first hit holds the words that were quoted."""
    copies: dict[str, set[str]] = {}
    for one in truth["duplicates"]:
        if one["transformation"] not in UNREADABLE:
            copies.setdefault(one["original"], set()).add(one["copy"])
    for kind in ("query", "typo"):
        first = []
        for quote in truth["quotes"]:
            right = set(quote["relevant"]).union(*(copies.get(path, set()) for path in quote["relevant"]))
            found = ranked(searcher, quote[kind], 1)
            first.append(bool(found) and found[0] in {path.removeprefix("memes/") for path in right})
        label = "quotes" if kind == "query" else "quotes with a slip"
        print(f"{label:32} recall@1 {mean(first):.3f} of {len(first)}")


def descriptions(searcher: Searcher, truth: dict) -> None:
    """Print how many of the first ten hits show the template that was described."""
    template = {one["path"].removeprefix("memes/"): one["template"] for one in truth["memes"]}
    template |= {
        one["copy"].removeprefix("memes/"): template[one["original"].removeprefix("memes/")]
        for one in truth["duplicates"]
    }
    described = {one["path"].removeprefix("memes/") for one in truth["memes"] if one["has_description"]}
    precision, among = [], []
    for id, one in json.loads((SHARED / "templates.json").read_text("utf-8")).items():
        have = sum(template[path] == id for path in described)
        for query in one["queries"]:
            found = ranked(searcher, query, 100)
            precision.append(mean(template[path] == id for path in found[:10]))
            first = [path for path in found if path in described][: min(10, have)]
            among.append(sum(template[path] == id for path in first) / max(1, min(10, have)))
    print(f"{'described pictures':32} precision@10 {mean(precision):.3f}, among those described {mean(among):.3f}")


def relatives(searcher: Searcher, truth: dict, ids: dict[str, int]) -> None:
    """Print how many of the first five relatives show the same template."""
    template = {one["path"].removeprefix("memes/"): one["template"] for one in truth["memes"]}
    for by in Likeness:
        shares = []
        for path in list(template)[::5]:
            found = [
                hit.meme.path for hit in searcher.similar(ids[path], by=by, k=10).hits if hit.meme.path in template
            ]
            shares.append(mean([template[other] == template[path] for other in found[:5]] or [0]))
        print(f"{'similar by ' + by:32} the same template in {mean(shares):.3f} of the first five")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("library", type=Path)
    arguments.add_argument("data", type=Path)
    given = arguments.parse_args()
    print(machine())
    settings = Settings(library=given.library / "memes", data=given.data)
    truth = json.loads((given.library / "truth.json").read_text("utf-8"))
    with open_catalogue(settings, create=False) as catalogue:
        searcher = Searcher(Workspace(settings, catalogue), text_encoder=load_text_encoder(settings))
        quotes(searcher, truth)
        descriptions(searcher, truth)
        relatives(searcher, truth, {meme.path: meme.id for meme in catalogue.memes.everything()})


if __name__ == "__main__":
    main()
