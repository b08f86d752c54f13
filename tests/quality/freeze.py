"""Write the fixture of the quality floor again: `python -m tests.quality.freeze MODELS`.

MODELS is a folder that holds the exported MiniLM (the `models` folder of an indexed library). Only needed when the
passages of a text change on purpose; run the tests afterwards, set the floors to the figures they print, and give the
old and the new figures in the commit.
"""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from demo.plan import plan_demo
from search.encoders.minilm import open_minilm
from tests.quality import frozen

MEMES = 150

# No meme of the library answers these.
UNANSWERED = (
    "medieval knight jousting tournament",
    "sushi chef slicing salmon",
    "volcano eruption lava flow",
    "submarine periscope captain",
    "stock market crash 1929",
    "ballet shoes on a grand piano",
    "photosynthesis diagram chloroplast",
    "mountain bike suspension repair",
    "queen elizabeth coronation",
    "tax return deadline reminder",
    "quantum entanglement explained",
    "football penalty shootout",
    "desert caravan with camels",
    "wedding cake collapse",
    "chess grandmaster resigns",
    "electric guitar solo on stage",
)


def main(models: Path) -> None:
    truth = plan_demo(memes=MEMES, seed=1, now=datetime(2026, 1, 1, tzinfo=UTC)).truth
    names = {meme.path: f"{Path(meme.path).with_suffix('')}.png" for meme in truth.memes}
    rows = [
        {
            "path": names[meme.path],
            "template": meme.template,
            "first_seen": meme.first_seen.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "ocr": meme.ocr,
            "description": meme.description,
            "analysis": meme.analysis,
        }
        for meme in truth.memes
    ]
    asked = [
        {"kind": query.kind.value, "text": query.text, "relevant": [names[p] for p in query.relevant if p in names]}
        for query in truth.queries()
    ]
    asked += [
        {"kind": "misspelled", "text": _misspelled(row["text"]), "relevant": row["relevant"]}
        for row in asked
        if row["kind"] == "quotes"
    ][::2]
    asked += [{"kind": "unanswered", "text": text, "relevant": []} for text in UNANSWERED]
    frozen.FIXTURE.mkdir(exist_ok=True)
    (frozen.FIXTURE / "memes.json").write_text(json.dumps(rows, ensure_ascii=False, indent=0) + "\n", "utf-8")
    (frozen.FIXTURE / "queries.json").write_text(json.dumps(asked, ensure_ascii=False, indent=0) + "\n", "utf-8")
    _write_embeddings(models, [row["text"] for row in asked])


def _misspelled(text: str) -> str:
    """Return a text with two letters of its longest word swapped."""
    longest = max(text.split(), key=len)
    return text.replace(longest, longest[:2] + longest[3] + longest[2] + longest[4:]) if len(longest) > 4 else text


def _write_embeddings(models: Path, queries: list[str]) -> None:
    from tests.quality.conftest import index_frozen

    empty = frozen.FIXTURE / "embeddings.npz"
    np.savez_compressed(empty, keys=np.zeros(0, np.uint64), rows=np.zeros((0, frozen.DIMENSIONS), np.float16))
    with tempfile.TemporaryDirectory() as folder:
        encoder = frozen.FrozenEncoder()
        index_frozen(Path(folder), encoder).close()
    texts = sorted({*encoder.unknown, *queries})
    rows = open_minilm(models).encode(texts)
    _, _, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    kept = (rows @ directions[: frozen.DIMENSIONS].T).astype(np.float16)
    keys = np.array([frozen.text_key(text) for text in texts], np.uint64)
    np.savez_compressed(empty, keys=keys, rows=kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
