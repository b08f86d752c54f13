"""The frozen library: 150 memes' texts, queries with their answers, and embeddings by MiniLM, all in this folder.

Nothing here depends on a model, on `demo/` or on chance, so that a changed figure means changed code. The texts are
those of a demo library; `freeze.py` wrote the files and describes how to write them again. The embeddings are MiniLM's
of every passage and query, projected to 48 principal directions and stored as float16.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FIXTURE = Path(__file__).parent / "fixture"
PINS = FIXTURE / "pins.json"
DIMENSIONS = 48


@dataclass(frozen=True)
class FrozenQuery:
    """A query, its kind, and the paths that answer it (none for a query that the library has no answer to)."""

    kind: str
    text: str
    relevant: tuple[str, ...]


def memes() -> list[dict[str, Any]]:
    """Return the memes: `path`, `template`, `first_seen`, and the texts `ocr`, `description`, `analysis`."""
    return list(json.loads((FIXTURE / "memes.json").read_text("utf-8")))


def queries() -> list[FrozenQuery]:
    """Return the queries in their order."""
    rows = json.loads((FIXTURE / "queries.json").read_text("utf-8"))
    return [FrozenQuery(row["kind"], row["text"], tuple(row["relevant"])) for row in rows]


def read_pins(name: str) -> Any:
    """Return the pinned results of a kind, as `python -m tests.quality.pins` wrote them."""
    return json.loads(PINS.read_text("utf-8"))[name]


def text_key(text: str) -> int:
    """Return the number under which a text's embedding is stored."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


class FrozenEncoder:
    """Looks up the embeddings of known texts; another text gets a hashed bag of words, which ranks worse."""

    name = "frozen-minilm-48"
    dimensions = DIMENSIONS

    def __init__(self) -> None:
        with np.load(FIXTURE / "embeddings.npz") as stored:
            self._rows = dict(zip(stored["keys"].tolist(), stored["rows"].astype(np.float32), strict=True))
        self.unknown: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.stack([self._row(text) for text in texts]) if texts else np.zeros((0, DIMENSIONS), np.float32)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def _row(self, text: str) -> NDArray[np.float32]:
        known = self._rows.get(text_key(text))
        if known is not None:
            return known
        self.unknown.append(text)
        row = np.full(DIMENSIONS, 1e-3, np.float32)
        for word in re.findall(r"\w+", text.casefold()):
            row[zlib.crc32(word.encode()) % DIMENSIONS] += 1.0
        return row


def write_library(library: Path) -> Path:
    """Write the frozen library into a folder and return it; memes of one template have nearly the same picture."""
    for meme in memes():
        file = library / meme["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        template_picture(meme["template"], meme["path"]).save(file)
        texts = {
            ".txt": meme["ocr"],
            ".first-seen.txt": meme["first_seen"],
            ".artist.simple-description.txt": meme["description"],
            ".artist.detailed-analysis.txt": meme["analysis"],
        }
        for suffix, body in texts.items():
            if body:
                file.with_name(file.name + suffix).write_text(body, "utf-8")
    return library


def template_picture(template: str, path: str) -> Image.Image:
    """Return a meme's picture: the one of its template, with one patch of its own."""
    shared = np.random.default_rng(zlib.crc32(template.encode())).integers(0, 255, (6, 8, 3), np.uint8)
    own = np.random.default_rng(zlib.crc32(path.encode()))
    shared[own.integers(6), own.integers(8)] = own.integers(0, 255, 3)
    return Image.fromarray(shared).resize((128, 96), Image.Resampling.BICUBIC)


def ndcg(ranked: Sequence[str], relevant: Sequence[str], *, k: int = 10) -> float:
    """Return nDCG@k with gains of 0 and 1 (Järvelin and Kekäläinen, 2002)."""
    gains = [1.0 if path in relevant else 0.0 for path in ranked[:k]]
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = discounts[: min(k, len(relevant))].sum()
    return float((np.array(gains) * discounts[: len(gains)]).sum() / ideal)
