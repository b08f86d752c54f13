"""The query pipeline: turn a query and its filters into weighted retrievers, and their scores into one ranking.

The searcher, the evaluation, the tuning of weights and the benchmarks all use it, so that measurements describe the
ranking that users get.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from string import punctuation
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.catalogue import Catalogue
from search.encoders.base import ImageEncoder, TextEncoder, encode_queries, text_weight
from search.encoders.coverage import ReadableText, readable_texts, weighted_direction
from search.errors import NotFound
from search.images.fingerprints import PDQ, look, pdq, pdq_mirrored
from search.index.analyzer import is_stop_word, query_terms, tokenize
from search.index.columns import Ids
from search.index.conditions import Among, Below, Where, both
from search.index.contract import Index, LazyDirection, Words
from search.index.file_names import NamedMemes, no_ids
from search.index.generations import TEXT_FIELDS
from search.index.whitening import Whitening
from search.meme import Field, Likeness, Meme, name_key
from search.query.filters import apply_filters
from search.query.language import unread_notice
from search.query.parser import Query, parse, plain_query
from search.query.quotes import make_quote, memes_saying_all, words_beside_quotes
from search.query.spelling import Correction, correct_spelling
from search.query.words import memes_holding
from search.ranking.fusion import FusedRanking, Scores, Weights
from search.ranking.image_retrievers import ImageImageRetriever, ImageTextRetriever, descriptor_retriever
from search.ranking.likeness import ANY, LIKENESS_WEIGHTS, LOOKS, SAME_PICTURE, is_alike, reaches, with_variants
from search.ranking.matching import (
    MAX_SCORED,
    HitList,
    RelevantRanking,
    keep_ranked,
    order_hits,
    raise_named,
    rank_relevant,
)
from search.ranking.query_plan import QueryPlan
from search.ranking.reasons import LEAST
from search.ranking.relevance import RELEVANCE_MODEL, RelevanceModel, relevance_cutoff, stats_of
from search.ranking.retrievers import (
    DEPTH,
    MIN_PHRASE,
    Retriever,
    combine,
    lexical_retrievers,
    phrase_retrievers,
    score_candidates,
    semantic_retrievers,
)
from search.signals import DESCRIPTOR, IMAGE_IMAGE, IMAGE_TEXT, LEXICAL_OCR, SIGNALS, Signal

MIN_CERTAIN = 0.1  # least score of a match for an image or a meme with words; at it, half of the hits are wrong
NEAREST = 30  # hits for a picture that resembles no other

# Candidates that are left by filters, from which the retrievers are not asked again for the best that pass them.
ENOUGH = 2 * DEPTH

# Words next to an image or `like:` say what should be different, as in "like this, but with dogs". The weight of the
# signal `image.text` is multiplied by this factor.
IMAGE_TEXT_BOOST = 3.0

Weighted = list[tuple[Retriever, float]]


@dataclass(frozen=True)
class QueryPipeline:
    """Plans and ranks queries over one index. `image_encoder` returns the encoder that made the index, or None."""

    catalogue: Catalogue
    index: Index
    text_encoder: TextEncoder
    weights: Weights
    image_encoder: Callable[[], ImageEncoder | None] = lambda: None
    pool: Executor | None = None
    line: float = 0.0  # log-odds above which a hit of a query of words matches
    model: RelevanceModel = RELEVANCE_MODEL  # of the log-odds

    def plan(
        self,
        text: str = "",
        *,
        image: Image.Image | None = None,
        category: str | None = None,
        verbatim: bool = False,
        all_signals: bool = False,
    ) -> QueryPlan:
        """Return the plan for a query: words and operators, an image, or both.

        With `all_signals` there is a retriever for every signal that the index has, also for those without a weight.
        Raises NotFound for an unknown category.
        """
        query, named = self._read(text)
        filters = apply_filters(query, self.index, tagged=self.catalogue.tags.ids)
        where = filters.where
        if category is not None:
            if name_key(category.strip()) not in self.index.columns.branches:
                raise NotFound(f"There is no category {category!r}.")
            where = both(where, Below(category))
        if query.is_empty and image is None and not filters.likes:
            return QueryPlan(query, filters, where, self.weights, listing=self.index.newest(where))
        only_likes = query.is_empty and image is None
        weights = LIKENESS_WEIGHTS[Likeness.ALL] if only_likes else self.weights
        used = set(SIGNALS) if all_signals else {signal for signal, weight in weights.items() if weight > 0}
        has_image = image is not None or bool(filters.likes)
        lexical = self.index.lexical
        correction = Correction(query, {}) if verbatim or named.is_whole else correct_spelling(query, lexical)
        weighted = self._of_text(query, correction, used, verbatim=verbatim, has_image=has_image)
        for like in filters.likes:
            similar = self._of_meme(self.catalogue.memes.get(like.id), LIKENESS_WEIGHTS[Likeness.ALL])
            weighted += [(retriever, like.weight) for retriever in similar]
        if image is not None:
            weighted += [(retriever, 1.0) for retriever in self._of_image(image)]
        retrievers, boosts = combine(
            [(retriever, weight) for retriever, weight in weighted if retriever.signal in used]
        )
        terms = () if query.is_empty else correction.query.terms
        quotes = [make_quote(one.value, lexical, verbatim=verbatim) for one in query.phrases]
        stats = None
        if not query.is_empty and not has_image:
            stats = stats_of(query, correction, lexical)
        # Beside an image, words say what should be different about it: what merely holds them does not match.
        beside = words_beside_quotes(query)
        with_words = memes_holding(beside, correction.corrections, lexical)
        holding = no_ids() if has_image else with_words
        saying = memes_saying_all(quotes, lexical)
        says = saying is not None and len(saying) > 0
        is_found = says or bool(len(holding) or named or correction.corrections)
        return QueryPlan(
            query=query,
            filters=filters,
            where=where,
            weights=weights,
            retrievers=retrievers,
            unread=self._unread(query.text, found=is_found),
            boosts=boosts,
            has_fixed_weights=only_likes,
            is_picture=query.is_empty and image is not None and not filters.likes,
            likeness=Likeness.ALL if only_likes else None,
            terms=terms,
            correction=correction,
            stats=stats,
            holding=holding,
            with_words=with_words if has_image else no_ids(),
            quotes=quotes,
            saying=saying,
            asks_more=any(not is_stop_word(beside[token.start : token.end]) for token in tokenize(beside)),
            named=named,
        )

    def _unread(self, text: str, *, found: bool) -> str:
        if self.index.whitening is None:
            return ""
        return unread_notice(text, self.index.lexical, self.text_encoder, self.image_encoder, found=found)

    def plan_similar(self, meme: Meme, likeness: Likeness) -> QueryPlan:
        """Return the plan that ranks memes by their likeness to `meme`."""
        weights = LIKENESS_WEIGHTS[likeness]
        query = parse("")
        return QueryPlan(
            query=query,
            filters=apply_filters(query, self.index, tagged=self.catalogue.tags.ids),
            where=None,
            weights=weights,
            retrievers=[found for found in self._of_meme(meme, weights) if weights.get(found.signal, 0) > 0],
            has_fixed_weights=True,
            likeness=likeness,
            excluded=meme.id,
            terms=self._ocr_terms(meme) if likeness is Likeness.WORDS else (),
        )

    def relevant(self, plan: QueryPlan) -> RelevantRanking:
        """Return the ranking of a plan without its filters, with all memes above the relevance cut-off."""
        exact = self.exact_matches(plan)
        return rank_relevant(lambda depth: self.candidates(plan, depth=depth), self._relevant(plan), known=exact)

    def find(self, plan: QueryPlan, *, relevant: Callable[[], RelevantRanking] | None = None) -> HitList:
        """Return all hits of a plan: what matches, however many, then the weaker hits.

        What matches does not depend on the filters, which select among the matches; weaker hits are the best among the
        memes that pass the filters. `relevant` returns what the method of that name does, for a caller that knows it.
        """
        columns = self.index.columns
        if plan.listing is not None:
            return HitList(plan.listing, len(plan.listing))
        exact = self.exact_matches(plan)
        ranking, is_exact = None, True
        matching = exact
        if plan.saying is None or plan.asks_more:
            ranking, above, is_exact = self.relevant(plan) if relevant is None else relevant()
            if plan.saying is not None:
                above = np.intersect1d(above, plan.saying, assume_unique=True)
            matching = columns.union(exact, above)
        if plan.where is not None:
            allowed = self.index.select(plan.where)
            matching = np.intersect1d(matching, allowed, assume_unique=True)
            if ranking is not None:
                ranking = keep_ranked(ranking, np.isin(ranking.ids, allowed))
                if len(ranking.ids) < ENOUGH or not np.isin(matching, ranking.ids, assume_unique=True).all():
                    ranking = None
        if ranking is None:
            ranking = self._ranked(plan, plan.where, depth=DEPTH, others=matching)
        named = plan.named
        known = raise_named(ranking, named.ids, is_whole=named.is_whole)
        ids, matches = order_hits(known, matching=matching, columns=columns)
        if plan.saying is not None and plan.asks_more:
            # What says the phrase comes before what does not, also where the other words do not fit.
            weaker = ids[matches:]
            says = np.isin(weaker, plan.saying, assume_unique=True)
            ids = np.concatenate([ids[:matches], weaker[says], weaker[~says]])
        if plan.excluded is not None:
            ids = ids[:matches]  # the others are not alike
        elif plan.is_picture:
            similar = ids[matches:][np.isin(ids[matches:], known.ids[reaches(known, LOOKS)])]
            # A picture that resembles nothing still gets the nearest ones.
            ids = np.concatenate([ids[:matches], similar]) if matches or len(similar) else ids[:NEAREST]

        def score(wanted: Ids) -> FusedRanking:
            if np.isin(wanted, known.ids, assume_unique=True).all():
                return known
            others = self._ranked(plan, plan.where, depth=0, others=wanted)
            return raise_named(others, named.ids, is_whole=named.is_whole)

        return HitList(ids, matches, score, is_exact)

    def exact_matches(self, plan: QueryPlan) -> Ids:
        """Return the rising ids of the memes that match without a doubt: by their words, the quotes, or their names."""
        by_text = plan.holding if plan.saying is None else plan.saying
        if plan.saying is not None and plan.asks_more:
            by_text = np.intersect1d(plan.saying, plan.holding, assume_unique=True)
        return self.index.columns.union(by_text, plan.named.ids)

    def candidates(self, plan: QueryPlan, *, depth: int = DEPTH) -> FusedRanking:
        """Return the ranking of exact matches and of what the retrievers propose, without regard to filters.

        Where there are words beside quoted phrases, it has all memes that say the phrases.
        """
        others = self.exact_matches(plan)
        if plan.saying is not None and plan.asks_more:
            others = self.index.columns.union(others, plan.saying)
        return self._ranked(plan, None, depth=depth, others=others)

    def _ranked(self, plan: QueryPlan, where: Where | None, *, depth: int, others: Ids) -> FusedRanking:
        """Return the ranking of what the retrievers propose where a condition holds, and of the best of `others`."""
        if depth and len(others) > MAX_SCORED:
            # All memes with a single word need not be picked out of what the word finds.
            is_all = len(plan.terms) == 1 and self.index.frequencies(plan.terms)[plan.terms[0]] == len(others)
            among = None if is_all else Among(others)
            others = np.sort(self.index.propose([Words(tuple(plan.terms))], MAX_SCORED, among)[0])
        scores = score_candidates(
            self.index,
            plan.retrievers,
            plan.weights,
            boosts=plan.boosts,
            has_fixed_weights=plan.has_fixed_weights,
            pool=self.pool,
            where=where,
            excluded=plan.excluded,
            depth=depth,
            others=others,
        )
        return scores.fuse()

    def _relevant(self, plan: QueryPlan) -> Callable[[FusedRanking], Ids]:
        """Return the function that selects the ids of a ranking's memes above the relevance cut-off."""
        stats = plan.stats

        def relevant(ranking: FusedRanking) -> Ids:
            if plan.likeness is not None:
                alike = ranking.ids[is_alike(ranking, plan.likeness)]
                if plan.likeness is not Likeness.TEMPLATE or plan.excluded is None:
                    return alike
                # The index knows more variants than the ranking proposes.
                variants = self.index.columns.variants(plan.excluded)
                return np.union1d(alike, variants[variants != plan.excluded])
            if plan.is_picture:
                same = ranking.ids[reaches(ranking, {DESCRIPTOR: SAME_PICTURE})]
                return with_variants(same, self.index.columns)
            if stats is None:
                # What matches is like the picture or the meme, fits the words by its own picture, or holds them.
                fits = reaches(ranking, ANY | {IMAGE_TEXT: LEAST[IMAGE_TEXT.kind]})
                return ranking.ids[(ranking.scores >= MIN_CERTAIN) & (fits | np.isin(ranking.ids, plan.with_words))]
            return ranking.ids[
                ranking.order[: relevance_cutoff(ranking, stats, model=self.model, line=self.line).relevant]
            ]

        return relevant

    def _read(self, text: str) -> tuple[Query, NamedMemes]:
        """Return the parsed query, and the memes that it is the file name of.

        A name that looks like an operator, an excluded word or a weight is read as words where a file has it.
        """
        query = parse(text)
        named = self.index.lexical.named(text) if text.strip() else NamedMemes()
        if named.is_verbatim and any(not part.is_text or part.weight != 1 for part in query.parts):
            notice = f"“{text.strip()}” is the name of a file, so it was read as words."
            return replace(plain_query(text), notices=(notice,)), named
        if not named.is_whole and query.text and query.text != text:
            named = self.index.lexical.named(query.text)
        return query, named

    def scores(self, plan: QueryPlan) -> Scores:
        """Return the score of every candidate by each of the plan's retrievers."""
        if plan.listing is not None:
            return Scores(plan.listing, {}, {}, plan.weights, is_listing=True)
        return score_candidates(
            self.index,
            plan.retrievers,
            plan.weights,
            boosts=plan.boosts,
            has_fixed_weights=plan.has_fixed_weights,
            pool=self.pool,
            where=plan.where,
            excluded=plan.excluded,
        )

    def rank(self, plan: QueryPlan) -> FusedRanking:
        """Return the fused ranking of a plan that has retrievers."""
        return self.scores(plan).fuse()

    def _of_text(
        self, query: Query, correction: Correction, used: set[Signal], *, verbatim: bool, has_image: bool
    ) -> Weighted:
        """Return the retrievers for a query's words, each with the weight of its words.

        Encoders get the words as typed: they cope with words that are not in the library and with misspelled ones.
        """
        if query.is_empty:
            return []
        groups = query.groups()
        highest_weight = max(weight for _, weight in groups)
        by_embedding: Weighted = []
        read = readable_texts(groups, self.text_encoder)
        if read and self.index.whitening is not None:
            # The model runs in another thread while this one looks the words up.
            direction = self._submit(self._text_direction, self.index.whitening, read)
            by_text = semantic_retrievers(self.index, dict.fromkeys(TEXT_FIELDS, direction))
            by_embedding += [(retriever, highest_weight) for retriever in by_text]
        encoder = self.image_encoder() if IMAGE_TEXT in used else None
        seen = readable_texts(groups, encoder) if encoder is not None else []
        if encoder is not None and seen and self.index.count_rows(Field.PICTURE):
            image_direction = self._submit(weighted_direction, encoder.encode_text, seen)
            boost = text_weight(encoder) * (IMAGE_TEXT_BOOST if has_image else 1.0)
            by_embedding.append((ImageTextRetriever(self.index, image_direction), highest_weight * boost))
        lexical = self.index.lexical
        if query.is_weighted:
            parts = [(plain_query(text), weight) for text, weight in groups]
            spelled = [(part if verbatim else correct_spelling(part, lexical).query, weight) for part, weight in parts]
        else:
            spelled = [(correction.query, groups[0][1])]
        weighted: Weighted = []
        for part, weight in spelled:
            by_words = lexical_retrievers(self.index, part.terms, sorted(used))
            weighted += [(retriever, weight) for retriever in by_words]
            sequence = [token.term for token in tokenize(part.text)]
            weighted += [(retriever, weight) for retriever in phrase_retrievers(self.index, sequence)]
        for phrase in query.phrases:
            if phrase.value != query.text or query.text.count(" ") < MIN_PHRASE - 1:
                sequence = [token.term for token in tokenize(phrase.value)]
                quoted = phrase_retrievers(self.index, sequence, least=1)
                weighted += [(retriever, phrase.weight) for retriever in quoted]
        return weighted + by_embedding

    def _of_image(self, image: Image.Image) -> list[Retriever]:
        """Return the retrievers for an image; they also find its mirrored copies."""
        fingerprints = np.stack([pdq(image)[0], pdq_mirrored(image)])
        found: list[Retriever] = [descriptor_retriever(look(image)[None], fingerprints)]
        encoder = self.image_encoder()
        if encoder is not None and self.index.count_rows(Field.PICTURE):
            found.append(ImageImageRetriever(self.index, list(encoder.encode_images([image]))))
        return found

    def _of_meme(self, meme: Meme, weights: Weights) -> list[Retriever]:
        """Return the retrievers for memes similar to one, except those that the weights do not use."""
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
            found += lexical_retrievers(index, self._ocr_terms(meme), [LEXICAL_OCR])
        return found

    def _ocr_terms(self, meme: Meme) -> list[str]:
        """Return the terms of the text in a meme's picture, without stop words."""
        passages = [row.passage for row in self.catalogue.texts.passages_of([meme.id], fields=[Field.OCR])]
        words = " ".join(passage.body for passage in passages).split()
        return query_terms(" ".join(word for word in words if not is_stop_word(word.strip(punctuation))))

    def _submit(self, work: Callable[..., NDArray[np.float32]], *arguments: Any) -> LazyDirection:
        if self.pool is None:
            return work(*arguments)
        future: Future[NDArray[np.float32]] = self.pool.submit(work, *arguments)
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
