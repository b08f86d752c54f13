"""Readable stand-ins for the models: quick, the same on every machine, and alike where words are alike."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from search.encoders import registry
from search.encoders.base import Vectors
from search.encoders.coverage import Coverage

COLORS = {
    "red": (220, 30, 30),
    "green": (30, 160, 60),
    "blue": (30, 60, 220),
    "yellow": (240, 220, 40),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}


class HashingTextEncoder:
    """A bag of hashed words and of their three-letter pieces: texts that share words, or parts of words, are alike."""

    name = "hashing-words-1"

    def __init__(self, dimensions: int = 256) -> None:
        self.dimensions = dimensions

    def encode(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[0] = 1e-3  # so that an empty text has a direction too
            for word in re.findall(r"\w+", text.casefold()):
                self._add(row, word, 1.0)
                padded = f"<{word}>"
                for start in range(len(padded) - 2):
                    self._add(row, padded[start : start + 3], 0.2)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def _add(self, row: np.ndarray, piece: str, weight: float) -> None:
        code = zlib.crc32(piece.encode())
        row[code % self.dimensions] += weight if code & 0x80000000 else -weight


class LatinTextEncoder(HashingTextEncoder):
    """One that says that it reads Latin letters alone, as MiniLM does."""

    coverage = Coverage(frozenset({"Latin"}))


class ColorImageEncoder:
    """A picture is the share of its pixels nearest to each named colour; a text is the colours that it names."""

    name = "colours-1"
    dimensions = len(COLORS) + 1  # the last: no colour named
    side = 16

    def prepare(self, picture: Image.Image) -> np.ndarray:
        return np.asarray(picture.convert("RGB").resize((16, 16)), dtype=np.float32)

    def encode_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        return self.encode_prepared([self.prepare(picture) for picture in pictures])

    def encode_prepared(self, prepared: Sequence[np.ndarray]) -> Vectors:
        palette = np.array(list(COLORS.values()), dtype=np.float32)
        rows = np.zeros((len(prepared), self.dimensions), dtype=np.float32)
        for row, pixels in zip(rows, prepared, strict=True):
            nearest = np.linalg.norm(pixels.reshape(-1, 1, 3) - palette, axis=2).argmin(axis=1)
            row[:-1] = np.bincount(nearest, minlength=len(COLORS))
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def probabilities(self, products: np.ndarray) -> np.ndarray:
        powers = np.exp(10 * products)
        return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = re.findall(r"\w+", text.casefold())
            row[:-1] = [words.count(color) for color in COLORS]
            row[-1] = 0.0 if row.any() else 1.0
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def use_hashing_text_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every module load the hashing encoder by its name, in this process.

    The names that `load_text_encoder` uses are replaced, not the function: modules that were imported before hold it.
    """
    monkeypatch.setattr(registry, "NAME", HashingTextEncoder.name)
    monkeypatch.setattr(registry, "open_minilm", lambda models, **use: HashingTextEncoder())
    monkeypatch.setenv("MEMETICA_TEXT_ENCODER", HashingTextEncoder.name)
