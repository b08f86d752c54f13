"""A meme as a point of Qdrant: its embeddings, BM25 of its terms as sparse vectors, and what filters ask for.

BM25 is a product of two vectors. A meme's has, for each of its terms, the part that depends on the meme: how often the
term is in it, and how long it is, against a mean length that is fixed while a collection lives. A query's has the
inverse document frequencies, which are counted by us, so that all shards score alike.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from search.index.generations import TEXT_FIELDS
from search.index.lexical.analyzer import LETTERWISE_WORD, MAX_TERMS, term_of, without_points
from search.index.lexical.file_names import MIN_PREFIX, name_keys, name_parts
from search.index.lexical.schema import ALL_TEXT
from search.index.lexical.writer import Document, document_words
from search.meme import CATEGORY_SEPARATOR, Field, Meme, name_key

TERM_FIELDS = (ALL_TEXT, *(field.value for field in TEXT_FIELDS))
WRITTEN = "written"  # the words as written
FINGERPRINT = "pdq"  # a vector of 256 numbers of one size, so that cosines tell how many bits agree
ROWS = "rows"  # in the payload: the embeddings of fields that are judged by more than their best one
FIELDS_WITH_ROWS = (Field.ANALYSIS,)
COUNTS = "counts"  # in the payload: how many rows the meme has, by the manifest's names
PUT = "put"  # in the payload: the change that wrote the point; none where that was the collection's making
BEFORE = "before"  # in the payload: what `kept_payload` kept of the point in whose place this one came
_K1, _B = 1.2, 0.75  # tantivy's
_PLAIN = re.compile(r"(?!0x)[a-z0-9]+")
_GAP = "0x"  # between two passages; no term is encoded as this


def token_of(term: str) -> str:
    """Return a term in letters and digits of ASCII, which every tokenizer leaves whole; different for each term.

    >>> token_of("burn"), token_of("é")
    ('burn', '0xc3a9')
    """
    return term if _PLAIN.fullmatch(term) else f"0x{term.encode().hex()}"


def term_in(token: str) -> str:
    """Return the term that a token stands for.

    >>> term_in(token_of("é")), term_in("burn")
    ('é', 'burn')
    """
    return bytes.fromhex(token[2:]).decode() if token.startswith(_GAP) else token


def sparse_place(part: Sequence[str]) -> int:
    """Return the place of a term, or of a pair of neighbours, in sparse vectors: 32 bits of its hash.

    >>> sparse_place(["dog"]) == sparse_place(("dog",)) < 2**32
    True
    """
    return int.from_bytes(hashlib.blake2b("\0".join(part).encode(), digest_size=4).digest(), "big")


def scored_parts(terms: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the parts whose scores a query adds: its terms, and pairs of neighbours in scripts without spaces.

    >>> scored_parts(["dog", "猫", "犬"])
    [('dog',), ('猫',), ('犬',), ('猫', '犬')]
    """
    terms = terms[:MAX_TERMS]
    return [*((term,) for term in terms), *_pairs(terms)]


def _pairs(terms: Sequence[str]) -> list[tuple[str, ...]]:
    return [pair for pair in pairwise(terms) if all(LETTERWISE_WORD.fullmatch(term) for term in pair)]


def idf(memes: int, frequency: int) -> float:
    """Return a term's inverse document frequency as in BM25.

    >>> round(idf(10, 1), 3)
    1.992
    """
    return math.log(1 + (memes - frequency + 0.5) / (frequency + 0.5))


def stored_length(length: int) -> int:
    """Return the length of a text in the eight bits that tantivy and Lucene keep of it: the next one below.

    >>> stored_length(39), stored_length(41), stored_length(1000)
    (39, 40, 984)
    """
    if length < 40:
        return length
    bits = (length - 24).bit_length() - 4
    return 24 + ((length - 24) >> bits << bits)


@dataclass(frozen=True)
class TermsOf:
    """A meme's terms by field, those of each passage, and its words as written; `rows` as those of `DocumentWords`."""

    passages: Mapping[str, Sequence[Sequence[str]]]
    rows: Sequence[Sequence[str]]
    spelled: frozenset[str]
    written: frozenset[str]

    def of(self, field: str) -> Sequence[Sequence[str]]:
        """Return the terms of each passage of a field, or of all fields."""
        if field == ALL_TEXT:
            return [own for passages in self.passages.values() for own in passages]
        return self.passages.get(field, ())

    def length(self, field: str) -> int:
        """Return the number of terms of a field."""
        return sum(map(len, self.of(field)))


def terms_of(document: Document) -> TermsOf:
    """Return the terms of a meme's texts.

    >>> from search.index.lexical.writer import Document
    >>> terms_of(Document(1, {Field.OCR: "Burning cats"}, "fine.png")).of("ocr")
    [['burn', 'cat']]
    """
    words = document_words(document)
    return TermsOf(
        {field.value: [_terms(own) for own in passages] for field, passages in words.passages.items()},
        words.rows,
        words.spelled,
        words.written,
    )


def _terms(words: Iterable[str]) -> list[str]:
    return [term for word in words if (term := term_of(without_points(word)))]


def bm25_vector(passages: Sequence[Sequence[str]], mean_length: float) -> models.SparseVector:
    """Return the part of BM25 that depends on the meme, for each term and pair of its passages."""
    counts: Counter[tuple[str, ...]] = Counter()
    for terms in passages:
        counts.update((term,) for term in terms)
        counts.update(_pairs(terms))
    length = stored_length(sum(map(len, passages)))
    norm = _K1 * (1 - _B + _B * length / mean_length)
    values: dict[int, float] = {}
    for part, count in counts.items():
        place = sparse_place(part)
        values[place] = max(values.get(place, 0.0), count * (1 + _K1) / (count + norm))
    places = sorted(values)
    return models.SparseVector(indices=places, values=[values[place] for place in places])


def query_vector(terms: Sequence[str], frequencies: Mapping[str, int], memes: int) -> models.SparseVector | None:
    """Return the inverse document frequencies of a query's terms and pairs; None when no meme has any of them."""
    values: dict[int, float] = {}
    for part in scored_parts(terms):
        if all(frequencies.get(term) for term in part):
            place = sparse_place(part)
            values[place] = values.get(place, 0.0) + sum(idf(memes, frequencies[term]) for term in part)
    places = sorted(values)
    return models.SparseVector(indices=places, values=[values[place] for place in places]) if values else None


def fingerprint_rows(bits: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return fingerprints ([m, bytes]) as rows of length 1, whose cosine is 1 less twice the share of other bits.

    >>> fingerprint_rows(np.zeros((1, 32), np.uint8)).shape
    (1, 256)
    """
    ones = np.unpackbits(bits, axis=1).astype(np.float32)
    return (2 * ones - 1) / np.float32(math.sqrt(ones.shape[1]))


def packed_rows(rows: NDArray[np.floating]) -> str:
    """Return rows ([m, d]) as text, in half precision."""
    return base64.b64encode(rows.astype("<f2").tobytes()).decode("ascii")


def unpacked_rows(text: str, *, dimensions: int) -> NDArray[np.float32]:
    """Return the rows ([m, d]) in a text.

    >>> unpacked_rows(packed_rows(np.eye(2)), dimensions=2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return np.frombuffer(base64.b64decode(text), "<f2").reshape(-1, dimensions).astype(np.float32)


def point_of(
    meme: Meme,
    document: Document,
    rows: Mapping[str, NDArray[np.floating]],
    *,
    counts: Mapping[str, int],
    representative: int,
    mean_lengths: Mapping[str, float],
) -> models.PointStruct:
    """Return a meme as a point; `rows` ([m, d] each) are by the name of the vector, those of texts whitened.

    `counts` are the numbers of these rows by the manifest's names.
    """
    terms = terms_of(document)
    vectors: dict[str, Any] = {name: own.astype(float).tolist() for name, own in rows.items() if len(own)}
    for field in TERM_FIELDS:
        if terms.length(field):
            vectors[sparse_name(field)] = bm25_vector(terms.of(field), mean_lengths[field])
    parents = meme.category.split(CATEGORY_SEPARATOR)
    parts = name_parts(document.path)
    has = {field.value for field in document.texts}
    has |= {Field.PICTURE.value} if len(rows.get(Field.PICTURE.value, ())) else set()
    has |= {Field.LOOK.value} if len(rows.get(Field.LOOK.value, ())) or len(rows.get(FINGERPRINT, ())) else set()
    payload = {
        "category": meme.category,
        "branches": [name_key(CATEGORY_SEPARATOR.join(parents[:end])) for end in range(1, len(parents) + 1)],
        "seen": int(meme.first_seen.timestamp()),
        "type": meme.type.value,
        "has": sorted(has),
        "variant": representative,
        "terms": sorted({token_of(term) for passage in terms.of(ALL_TEXT) for term in passage}),
        "spelled": sorted(terms.spelled),
        WRITTEN: sorted(terms.written),
        "file": name_keys(document.path),
        "parts": parts,
        "prefixes": sorted({part[:end] for part in parts for end in range(MIN_PREFIX, len(part) + 1)}),
        row_key(WRITTEN): _row_of(terms.rows),
        COUNTS: dict(counts),
    }
    for field in TEXT_FIELDS:
        payload[row_key(field.value)] = _row_of(terms.of(field.value))
    for field in FIELDS_WITH_ROWS:
        if field.value in rows:
            payload[f"{ROWS}_{field.value}"] = packed_rows(rows[field.value])
    return models.PointStruct(id=meme.id, vector=vectors, payload=payload)


def _row_of(passages: Sequence[Sequence[str]]) -> str:
    """Return the tokens of passages in a row, with a gap between two."""
    return f" {_GAP} ".join(" ".join(map(token_of, one)) for one in passages)


def counted_payload(payload: Mapping[str, Any], changes: Collection[str]) -> Mapping[str, Any] | None:
    """Return the payload with which a meme is counted in a state that has some changes; None for one that is not.

    A change writes its points before the state knows it. One that was killed in between has left a point that is not
    counted as it is now, but as it was before.

    >>> counted_payload({"put": "b", "before": {"has": ["ocr"]}}, {"a"})
    {'has': ['ocr']}
    """
    return payload if payload.get(PUT) in (None, *changes) else payload.get(BEFORE)


def kept_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a payload tells how its meme is counted."""
    keys = ("has", "spelled", WRITTEN, COUNTS, *(row_key(field.value) for field in TEXT_FIELDS))
    return {key: payload[key] for key in keys if key in payload}


def terms_of_payload(payload: Mapping[str, Any]) -> TermsOf:
    """Return the terms of a meme from its point: those of each field as one passage."""
    rows = {
        field.value: [[term_in(token) for token in row.split(" ") if token != _GAP]]
        for field in TEXT_FIELDS
        if (row := payload[row_key(field.value)])
    }
    return TermsOf(rows, (), frozenset(payload["spelled"]), frozenset(payload[WRITTEN]))


def sparse_name(field: str) -> str:
    """Return the name of the sparse vector of a field's terms."""
    return f"bm25_{field}"


def row_key(field: str) -> str:
    """Return the key of a field's terms in a row."""
    return f"row_{field}"
