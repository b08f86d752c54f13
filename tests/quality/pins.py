"""Pinned results: what the code returned when a tuned constant was last changed on purpose.

`python -m tests.quality.pins` writes them again. Say in the commit which constant changed and what it did to the
floors: a pin that changes without a reason is a regression.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from search.meme import Likeness
from search.searcher import Searcher
from tests.quality import frozen
from tests.quality.categories import pinned_categories
from tests.quality.ladders import LADDERS, ladder
from tests.quality.texts import pinned_texts

PINS = frozen.FIXTURE / "pins.json"
EVERY = 8  # query is pinned
SIMILAR_TO = 12  # every so many memes, what is similar to one is pinned


def read_pins(name: str) -> Any:
    """Return the pinned results of a kind."""
    return json.loads(PINS.read_text("utf-8"))[name]


def answers(searcher: Searcher) -> dict[str, Any]:
    """Return the first hits of every eighth query: paths and scores, how many are certain, and snippets."""
    return {query.text: _row(searcher.search(query.text, k=10)) for query in frozen.queries()[::EVERY]}


def similar(searcher: Searcher) -> dict[str, Any]:
    """Return what is similar to every twelfth meme, by each likeness."""
    return {
        f"{likeness.value} {meme['path']}": _row(searcher.similar(meme["path"], by=likeness, k=6))
        for meme in frozen.memes()[::SIMILAR_TO]
        for likeness in Likeness
    }


def _row(answer: Any) -> dict[str, Any]:
    return {
        "certain": answer.understood.certain,
        "hits": [[hit.path, round(hit.score, 4)] for hit in answer],
        "variants": [hit.variants for hit in answer],
        "snippets": [snippet.html for hit in answer[:2] for snippet in hit.snippets],
    }


def main() -> None:
    from tests.quality.conftest import index_frozen

    with tempfile.TemporaryDirectory() as folder:
        encoder = frozen.FrozenEncoder()
        with index_frozen(Path(folder), encoder) as workspace, Searcher(workspace, text_encoder=encoder) as searcher:
            pins = {"answers": answers(searcher), "similar": similar(searcher), "texts": pinned_texts()}
    pins["categories"] = pinned_categories()
    pins["ladders"] = {name: ladder(name) for name in LADDERS}
    PINS.write_text(json.dumps(pins, ensure_ascii=False, indent=0) + "\n", "utf-8")


if __name__ == "__main__":
    main()
