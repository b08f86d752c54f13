"""Pinned results: what the code returned when a tuned constant was last changed on purpose.

`python -m tests.quality.pins` writes them again. Say in the commit which constant changed and what it did to the
floors: a pin that changes without a reason is a regression.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from search.searcher import Searcher
from tests.quality import frozen
from tests.quality.categories import CATEGORY_LIMITS, pinned_categories
from tests.quality.conftest import index_frozen
from tests.quality.ladders import LADDERS, ladder
from tests.quality.limits import DUPLICATE_LIMITS, search_limits
from tests.quality.rankings import answers, log_odds, similar
from tests.quality.texts import pinned_texts


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        encoder = frozen.FrozenEncoder()
        with index_frozen(Path(folder), encoder) as workspace, Searcher(workspace, text_encoder=encoder) as searcher:
            pins = {"answers": answers(searcher), "similar": similar(searcher), "texts": pinned_texts()}
            pins["log odds"] = log_odds(searcher)
            pins["search limits"] = search_limits(searcher)
    pins["categories"] = pinned_categories()
    pins["category limits"] = {name: found() for name, found in CATEGORY_LIMITS.items()}
    pins["duplicate limits"] = {name: found() for name, found in DUPLICATE_LIMITS.items()}
    pins["ladders"] = {name: ladder(name) for name in LADDERS}
    frozen.PINS.write_text(json.dumps(pins, ensure_ascii=False, indent=0) + "\n", "utf-8")


if __name__ == "__main__":
    main()
