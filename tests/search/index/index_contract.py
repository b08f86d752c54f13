"""What any index must do, as checks against truths found without one: counted and multiplied meme by meme."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.catalogue import Catalogue
from search.images.fingerprints import PDQ
from search.index.contract import Index, IndexStore, Making
from search.index.lexical.analyzer import tokenize
from search.index.lexical.schema import ALL_TEXT
from search.meme import Field, Meme
from search.texts.agreement import LEAST_WEIGHT
from search.texts.chunking import SPLITTER
from tests.support.fakes import HashingTextEncoder

CLOSE = 1e-4
MAKING = Making(HashingTextEncoder().name, splitter=SPLITTER, least_weight=LEAST_WEIGHT)
OpenStore = Callable[[], IndexStore]


@dataclass(frozen=True)
class Twin:
    """The same library without an index: texts, embeddings and fingerprints of the catalogue, compared one by one."""

    catalogue: Catalogue

    def memes(self) -> list[Meme]:
        return self.catalogue.memes.everything()

    def passages(self, id: int, field: str) -> Iterator[tuple[str, bytes]]:
        for row in self.catalogue.texts.passages_of([id], least_weight=LEAST_WEIGHT):
            if field in (ALL_TEXT, row.passage.field.value):
                yield row.passage.body, row.input_hash

    def terms(self, id: int, field: str) -> list[list[str]]:
        bodies = [body for body, _ in self.passages(id, field)]
        return [[token.term for token in tokenize(line)] for body in bodies for line in body.split("\n")]

    def bm25(self, terms: list[str], field: str) -> dict[int, float]:
        """By the formula of Robertson and Zaragoza with k1 = 1.2 and b = 0.75, texts of fewer than 40 terms."""
        texts = {meme.id: [term for own in self.terms(meme.id, field) for term in own] for meme in self.memes()}
        assert all(len(text) < 40 for text in texts.values())
        mean = sum(map(len, texts.values())) / len(texts)
        found = dict.fromkeys(texts, 0.0)
        for term in terms:
            holders = [id for id, text in texts.items() if term in text]
            idf = math.log(1 + (len(texts) - len(holders) + 0.5) / (len(holders) + 0.5))
            for id in holders:
                count, length = texts[id].count(term), len(texts[id])
                found[id] += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean))
        return found

    def cosines(self, id: int, field: Field, direction: NDArray[np.float32], index: Index) -> list[float]:
        """The cosines of a meme's passages, best first, whitened as the index says."""
        hashes = [hash for _, hash in self.passages(id, field.value)]
        known = self.catalogue.embeddings.get(MAKING.text_encoder, hashes)
        rows = np.array([known[hash] for hash in hashes if hash in known], np.float16)
        if not len(rows) or index.whitening is None:
            return []
        white = index.whitening(rows).astype(np.float16).astype(np.float64)
        return sorted((white @ direction.astype(np.float64)).tolist(), reverse=True)

    def shares(self, id: int, bits: NDArray[np.uint8]) -> list[float]:
        """The shares of equal bits between a fingerprint and those of a meme's frames."""
        meme = self.catalogue.memes.get(id)
        own = [np.frombuffer(one, np.uint8) for one in self.catalogue.pictures.fingerprints_of(meme.content_hash, PDQ)]
        return [1 - np.unpackbits(one ^ bits).sum() / (8 * len(bits)) for one in own]


def says_in_a_row(twin: Twin, id: int, field: str, terms: list[str]) -> bool:
    """Whether one passage of a meme has the terms one after another."""
    return any(
        own[at : at + len(terms)] == terms for own in twin.terms(id, field) for at in range(len(own) - len(terms) + 1)
    )
