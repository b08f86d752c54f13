"""The retrievers of a query: for its words, for an image, and for memes similar to one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from string import punctuation
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.catalogue import Catalogue
from search.encoders.base import ImageEncoder, TextEncoder, encode_queries, text_weight
from search.encoders.coverage import ReadableText, readable_texts, weighted_direction
from search.encoders.emoji import is_emoji
from search.images.fingerprints import PDQ, look, pdq, pdq_mirrored
from search.index.contract import Index, LazyDirection
from search.index.generations import TEXT_FIELDS
from search.index.lexical.analyzer import is_stop_word, query_terms, tokenize
from search.index.vectors.whitening import Whitening
from search.meme import Field, Meme
from search.query.parser import Query, plain_query
from search.query.spelling import Correction, correct_spelling
from search.ranking.fusion import Weights
from search.ranking.image_retrievers import ImageImageRetriever, ImageTextRetriever, descriptor_retriever
from search.ranking.retrievers import (
    MIN_PHRASE,
    Retriever,
    lexical_retrievers,
    phrase_retrievers,
    semantic_retrievers,
)
from search.signals import DESCRIPTOR, IMAGE_IMAGE, IMAGE_TEXT, LEXICAL_OCR, Signal

# Words next to an image or `like:` say what should be different, as in "like this, but with dogs". The weight of the
# signal `image.text` is multiplied by this factor.
IMAGE_TEXT_BOOST = 3.0
HEAD_START = 0.0005  # seconds, in which a thread of the pool gets as far as running the model

Weighted = list[tuple[Retriever, float]]


@dataclass(frozen=True)
class RetrieverFactory:
    """Makes retrievers over one index. With a `pool`, encoders run in its threads while words are looked up."""

    catalogue: Catalogue
    index: Index
    text_encoder: TextEncoder
    image_encoder: Callable[[], ImageEncoder | None]
    pool: Executor | None = None

    def of_meaning(self, query: Query, used: set[Signal], *, has_image: bool) -> Weighted:
        """Return the retrievers that compare embeddings of a query's words, each with the weight of its words.

        Encoders get the words as typed: they cope with words that are not in the library and with misspelled ones. With
        a pool they begin now, so that the caller looks the words up in the meantime.
        """
        if query.is_empty:
            return []
        groups = query.groups()
        highest_weight = max(weight for _, weight in groups)
        found: Weighted = []
        read = readable_texts(groups, self.text_encoder)
        if read and self.index.whitening is not None:
            direction = self._submit(self._text_direction, self.index.whitening, read)
            by_text = semantic_retrievers(self.index, dict.fromkeys(TEXT_FIELDS, direction))
            found += [(retriever, highest_weight) for retriever in by_text]
        encoder = self.image_encoder() if IMAGE_TEXT in used else None
        seen = readable_texts(groups, encoder) if encoder is not None else []
        if encoder is not None and seen and self.index.count_rows(Field.PICTURE):
            image_direction = self._submit(weighted_direction, encoder.encode_text, seen)
            boost = text_weight(encoder) * (IMAGE_TEXT_BOOST if has_image else 1.0)
            found.append((ImageTextRetriever(self.index, image_direction), highest_weight * boost))
        return found

    def of_words(self, query: Query, correction: Correction, used: set[Signal], *, verbatim: bool) -> Weighted:
        """Return the retrievers that look up a query's words and phrases, each with the weight of its words."""
        if query.is_empty:
            return []
        lexical = self.index.lexical
        if query.is_weighted:
            parts = [(plain_query(text), weight) for text, weight in query.groups()]
            spelled = [(part if verbatim else correct_spelling(part, lexical).query, weight) for part, weight in parts]
        else:
            spelled = [(correction.query, query.groups()[0][1])]
        weighted: Weighted = []
        for part, weight in spelled:
            by_words = lexical_retrievers(self.index, part.terms, sorted(used))
            weighted += [(retriever, weight) for retriever in by_words]
            sequence = [token.term for token in tokenize(part.text) if not is_emoji(token.term)]
            weighted += [(retriever, weight) for retriever in phrase_retrievers(self.index, sequence)]
        for phrase in query.phrases:
            if phrase.value != query.text or query.text.count(" ") < MIN_PHRASE - 1:
                sequence = [token.term for token in tokenize(phrase.value)]
                quoted = phrase_retrievers(self.index, sequence, least=1)
                weighted += [(retriever, phrase.weight) for retriever in quoted]
        return weighted

    def of_image(self, image: Image.Image) -> list[Retriever]:
        """Return the retrievers for an image; they also find its mirrored copies."""
        fingerprints = np.stack([pdq(image)[0], pdq_mirrored(image)])
        found: list[Retriever] = [descriptor_retriever(look(image)[None], fingerprints)]
        encoder = self.image_encoder()
        if encoder is not None and self.index.count_rows(Field.PICTURE):
            found.append(ImageImageRetriever(self.index, list(encoder.encode_images([image]))))
        return found

    def of_meme(self, meme: Meme, weights: Weights, *, ocr_terms: Sequence[str] | None = None) -> list[Retriever]:
        """Return the retrievers for memes similar to one, except those that the weights do not use.

        `ocr_terms` are those of the meme, for a caller that knows them.
        """
        index = self.index
        found: list[Retriever] = []
        stored = self.catalogue.pictures.fingerprints_of(meme.content_hash, PDQ) if DESCRIPTOR in weights else []
        if stored:
            fingerprints = np.stack([np.frombuffer(fingerprint, np.uint8) for fingerprint in stored])
            found.append(descriptor_retriever(index.rows_of(meme.id, Field.LOOK), fingerprints))
        if index.count_rows(Field.PICTURE) and IMAGE_IMAGE in weights:
            frames = index.rows_of(meme.id, Field.PICTURE)
            found += [ImageImageRetriever(index, list(frames))] if len(frames) else []
        found += semantic_retrievers(index, _mean_directions(index, meme))
        if LEXICAL_OCR in weights:
            terms = self.ocr_terms(meme) if ocr_terms is None else ocr_terms
            found += lexical_retrievers(index, terms, [LEXICAL_OCR])
        return found

    def ocr_terms(self, meme: Meme) -> list[str]:
        """Return the terms of the text in a meme's picture, without stop words."""
        passages = [row.passage for row in self.catalogue.texts.passages_of([meme.id], fields=[Field.OCR])]
        words = " ".join(passage.body for passage in passages).split()
        return query_terms(" ".join(word for word in words if not is_stop_word(word.strip(punctuation))))

    def _submit(self, work: Callable[..., NDArray[np.float32]], *arguments: Any) -> LazyDirection:
        if self.pool is None:
            return work(*arguments)
        future: Future[NDArray[np.float32]] = self.pool.submit(work, *arguments)
        # The search waits for it in the end, and this thread is done before: it must not delay the other by competing
        # for the interpreter's lock while that splits the text into tokens.
        wait((future,), timeout=HEAD_START)
        return future

    def _text_direction(self, whitening: Whitening, parts: Sequence[ReadableText]) -> NDArray[np.float32]:
        """Return the whitened direction ([d]) of the weighted sum of texts."""
        return weighted_direction(lambda texts: whitening(encode_queries(self.text_encoder, texts)), parts)


def _mean_directions(index: Index, meme: Meme) -> dict[Field, NDArray[np.float32]]:
    """Return, by field, the mean direction ([d]) of a meme's passages."""
    found = {}
    for text_field in TEXT_FIELDS:
        total = index.rows_of(meme.id, text_field).sum(axis=0)
        length = float(np.linalg.norm(total))
        if length:
            found[text_field] = (total / length).astype(np.float32)
    return found
