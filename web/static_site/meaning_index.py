"""The vectors that a browser searches by meaning: lists of memes near one another, of which a query fetches few.

A list has every row of its memes that the served site's ranking scores them by, in 8 bits, and the words of the text in
their pictures in order. Lists are found by their centroids, the mean of what a query's fused semantic score of their
memes is nearly the product with. Of a library of some hundred memes all are fetched, and only the rounding is lost.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.index.lexical.analyzer import tokenize
from search.index.local import LocalIndex
from search.index.vectors.clusters import cluster_rows
from search.meme import Field
from search.ranking.fusion import SMOOTHING
from search.ranking.relevance import RelevanceRule
from search.ranking.retrievers import BEST_PASSAGES, COVERED_BY, DEPTH, MIN_PHRASE
from search.settings import Settings
from search.signals import LEXICAL_ALL, PHRASE_OCR, SIGNALS, SignalKind

LIST_MEMES = 16  # of a list, about: for the same bytes, more lists of fewer memes have more of the best ones
PROBES = 64  # lists that a query fetches at most by their centroids

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class MeaningIndex:
    """The files of an index, by path below its folder and named by their content, and the table that names them."""

    parts: Mapping[str, bytes]
    table: Mapping[str, Any]

    def packed_table(self, encoder: Mapping[str, Any]) -> bytes:
        """Return the table, compressed, with that of the encoder that the vectors are of."""
        whole = dict(self.table) | {"encoder": encoder}
        return gzip.compress(_json(whole), 9, mtime=0)


def build_meaning_index(
    index: LocalIndex,
    settings: Settings,
    rule: RelevanceRule,
    *,
    words_of: Callable[[Sequence[int]], Mapping[int, str]],
) -> MeaningIndex | None:
    """Return the vectors of an index for the browser; None where no text of the library has been embedded.

    `words_of` returns the text in the pictures of memes.

    >>> from search.ranking.relevance import relevance_rule
    >>> rule = relevance_rule(workspace.settings, encoder)
    >>> built = build_meaning_index(searcher.index, workspace.settings, rule, words_of=lambda ids: {})
    >>> built.table["dimensions"], built.table["lists"][0][1]
    (256, 9)
    """
    weights = {signal: weight for signal, weight in settings.weights.items() if weight > 0}
    fields = [
        signal.field
        for signal in SIGNALS
        if signal.kind is SignalKind.SEMANTIC and signal in weights and signal.field in index.dense
    ]
    dense = {field: index.dense[field] for field in fields if field is not None and len(index.dense[field])}
    if index.whitening is None or not dense:
        return None
    parts: dict[str, bytes] = {}

    def keep(raw: bytes) -> str:
        packed = gzip.compress(raw, 9, mtime=0)
        name = f"vectors/{hashlib.sha256(packed).hexdigest()[:16]}.dat"
        parts[name] = packed
        return name

    ids = index.columns.ids
    by_signal = {str(signal): weight for signal, weight in weights.items()}
    directions = _directions(index, {field: by_signal[f"semantic.{field.value}"] for field in dense})
    list_of = cluster_rows(directions, size=LIST_MEMES)
    centroids = np.stack([directions[list_of == one].mean(axis=0) for one in range(list_of.max() + 1)])
    rows = {field: (part.owners, part.all_rows()) for field, part in dense.items()}
    lists = []
    for number in range(len(centroids)):
        own = ids[list_of == number]
        lists.append([keep(_packed_list(own, rows, words_of([int(id) for id in own]))), len(own)])
    mean, matrix = index.whitening.mean, index.whitening.matrix
    kinds = {LEXICAL_ALL, PHRASE_OCR}
    table = {
        "version": 1,
        "dimensions": len(mean),
        "whitening": keep(_packed_rows(np.concatenate([mean[None], matrix]), np.int16)),
        "centroids": keep(_packed_rows(centroids, np.int8)),
        "list_of": keep(_json({"steps": np.diff(ids, prepend=0).tolist(), "lists": list_of.tolist()})),
        "lists": lists,
        "probes": PROBES,
        "weights": {
            str(signal): weight for signal, weight in weights.items() if signal.field in dense or signal in kinds
        },
        "smoothing": SMOOTHING,
        "depth": DEPTH,
        "least_phrase": MIN_PHRASE,
        "best": {field.value: most for field, most in BEST_PASSAGES.items() if field in dense},
        "covered": {
            field.value: [other.value for other in others] for field, others in COVERED_BY.items() if field in dense
        },
        "relevance": {"weights": list(rule.model.weights), "bias": rule.model.bias, "line": rule.line},
    }
    return MeaningIndex(parts, table)


def _directions(index: LocalIndex, weights: Mapping[Field, float]) -> Rows:
    """Return for each meme ([n, d]) the vector whose product with a query is about its fused semantic score."""
    ids = index.columns.ids
    found = np.zeros((len(ids), next(iter(index.dense[field].dimensions for field in weights))), np.float32)
    present = np.zeros(len(ids), np.float32)
    for field, weight in weights.items():
        part = index.dense[field]
        places = index.columns.rows(part.owners)
        counts = np.bincount(places, minlength=len(ids)).astype(np.float32)
        np.add.at(found, places, weight * part.all_rows().astype(np.float32) / counts[places, None])
        present += weight * (counts > 0)
    total = sum(weights.values())
    return found * ((1 + SMOOTHING) / (present + SMOOTHING * total))[:, None]


def _packed_list(
    ids: NDArray[np.int64],
    rows: Mapping[Field, tuple[NDArray[np.int64], NDArray[np.float16]]],
    words: Mapping[int, str],
) -> bytes:
    """Return a list: ids, how many rows each meme has in each field, the words in its picture; then the rows."""
    counts: dict[str, list[int]] = {}
    blocks = []
    for field, (owners, every) in rows.items():
        first, after = np.searchsorted(owners, ids, "left"), np.searchsorted(owners, ids, "right")
        counts[field.value] = (after - first).tolist()
        blocks += [every[start:end] for start, end in zip(first, after, strict=True)]
    head = {
        "ids": ids.tolist(),
        "counts": counts,
        "words": [" ".join(token.term for token in tokenize(words.get(int(id), "")) if token.term) for id in ids],
    }
    raw = _json(head)
    return len(raw).to_bytes(4, "little") + raw + _packed_rows(np.concatenate(blocks).astype(np.float32), np.int8)


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _packed_rows(rows: Rows, kind: type[np.signedinteger[Any]]) -> bytes:
    """Return rows as whole numbers, after the scale of each row: float32, then all numbers, in little-endian order."""
    most = np.iinfo(kind).max
    scales = np.abs(rows).max(axis=1, keepdims=True) / most if rows.size else np.zeros((0, 1), np.float32)
    scales[scales == 0] = 1
    whole = np.clip(np.rint(rows / scales), -most, most).astype(np.dtype(kind).newbyteorder("<"))
    return scales.astype("<f4").tobytes() + whole.tobytes()
