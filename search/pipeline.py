"""The query pipeline: turn a query and its filters into weighted retrievers, and their scores into one ranking.

The searcher, the evaluation, the tuning of weights and the benchmarks all use it, so that measurements describe the
ranking that users get.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from search.catalogue import Catalogue
from search.encoders.base import ImageEncoder, TextEncoder
from search.encoders.coverage import coverage_for, readable_share
from search.errors import NotFound
from search.index.columns import Ids, are_among
from search.index.conditions import Among, Below, Where, both
from search.index.contract import Index, Words
from search.index.lexical.analyzer import is_stop_word, query_terms, tokenize
from search.index.lexical.file_names import NamedMemes, no_ids
from search.meme import Likeness, Meme, name_key
from search.query.filters import apply_filters
from search.query.language import MIN_READ, unread_notice
from search.query.parser import Query, parse, plain_query
from search.query.quotes import make_quote, memes_saying_all, words_beside_quotes
from search.query.spelling import Correction, correct_spelling
from search.query.words import joined_forms, memes_holding
from search.ranking.fusion import FusedRanking, Scores, Weights
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
from search.ranking.retriever_factory import RetrieverFactory
from search.ranking.retrievers import (
    DEPTH,
    combine,
    score_candidates,
)
from search.signals import DESCRIPTOR, IMAGE_TEXT, LEXICAL_OCR, SIGNALS

MIN_CERTAIN = 0.1  # least score of a match for an image or a meme with words; at it, half of the hits are wrong
# Words beside a quoted phrase, without stop words, from which a query is a sentence that quotes: keywords are fewer.
SENTENCE = 6
NEAREST = 30  # hits for a picture that resembles no other

# Candidates that are left by filters, from which the retrievers are not asked again for the best that pass them.
ENOUGH = 2 * DEPTH


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
        by_meaning = self._retrievers.of_meaning(query, used, has_image=has_image)
        lexical = self.index.lexical
        correction = Correction(query, {}) if verbatim or named.is_whole else correct_spelling(query, lexical)
        weighted = [*self._retrievers.of_words(query, correction, used, verbatim=verbatim), *by_meaning]
        for like in filters.likes:
            similar = self._retrievers.of_meme(self.catalogue.memes.get(like.id), LIKENESS_WEIGHTS[Likeness.ALL])
            weighted += [(retriever, like.weight) for retriever in similar]
        if image is not None:
            weighted += [(retriever, 1.0) for retriever in self._retrievers.of_image(image)]
        retrievers, boosts = combine(
            [(retriever, weight) for retriever, weight in weighted if retriever.signal in used]
        )
        terms = () if query.is_empty else (*correction.query.terms, *joined_forms(correction.query.text, lexical))
        quotes = [make_quote(one.value, lexical, verbatim=verbatim) for one in query.phrases]
        stats = None
        if not query.is_empty and not has_image:
            stats = stats_of(query, correction, lexical)
            lexical.prepare([*terms, *(term for term in stats.terms if isinstance(term, str))])
        # Beside an image, words say what should be different about it: what merely holds them does not match.
        beside = words_beside_quotes(query)
        others = {token.term for token in tokenize(beside) if not is_stop_word(beside[token.start : token.end])}
        quoted = sum(len(query_terms(one.value)) for one in query.phrases)
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
            asks_more=bool(others),
            is_sentence=len(others) >= max(SENTENCE, quoted + 1),
            named=named,
        )

    def _unread(self, text: str, *, found: bool) -> str:
        if self.index.whitening is None:
            return ""
        return unread_notice(text, self.index.lexical, self.text_encoder, self.image_encoder, found=found)

    def plan_similar(self, meme: Meme, likeness: Likeness) -> QueryPlan:
        """Return the plan that ranks memes by their likeness to `meme`."""
        return self._plans_similar(meme, [likeness])[0]

    def _plans_similar(self, meme: Meme, likenesses: Sequence[Likeness]) -> list[QueryPlan]:
        """Return a plan for each likeness, whose retrievers are those that it shares with the others."""
        query = parse("")
        filters = apply_filters(query, self.index, tagged=self.catalogue.tags.ids)
        used: Weights = {signal: 1.0 for one in likenesses for signal in LIKENESS_WEIGHTS[one]}
        terms = self._retrievers.ocr_terms(meme) if LEXICAL_OCR in used else []
        retrievers = self._retrievers.of_meme(meme, used, ocr_terms=terms)
        return [
            QueryPlan(
                query=query,
                filters=filters,
                where=None,
                weights=LIKENESS_WEIGHTS[likeness],
                retrievers=[one for one in retrievers if LIKENESS_WEIGHTS[likeness].get(one.signal, 0) > 0],
                has_fixed_weights=True,
                likeness=likeness,
                excluded=meme.id,
                terms=terms if likeness is Likeness.WORDS else (),
            )
            for likeness in likenesses
        ]

    def relatives(self, meme: Meme, likenesses: Sequence[Likeness]) -> dict[Likeness, tuple[QueryPlan, HitList]]:
        """Return, by likeness, the plan that ranks memes by their likeness to `meme`, and its hits.

        They are those that `find` returns for `plan_similar`. The index is asked once for all likenesses.
        """
        plans = self._plans_similar(meme, likenesses)
        retrievers = list({one.signal: one for plan in plans for one in plan.retrievers}.values())
        shared = score_candidates(self.index, retrievers, {}, pool=self.pool, excluded=meme.id, others=no_ids())
        found = {}
        for likeness, plan in zip(likenesses, plans, strict=True):

            def rank(depth: int, plan: QueryPlan = plan) -> FusedRanking:
                return shared.fuse(plan.weights) if depth == DEPTH else self.candidates(plan, depth=depth)

            ranking = rank_relevant(rank, self._relevant(plan), known=self.exact_matches(plan))
            found[likeness] = plan, self.find(plan, relevant=_given(ranking))
        return found

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
                if len(ranking.ids) < ENOUGH or not are_among(matching, ranking.ids).all():
                    ranking = None
        if ranking is None:
            ranking = self._ranked(plan, plan.where, depth=DEPTH, others=matching)
        named = plan.named
        known = raise_named(ranking, named.ids, is_whole=named.is_whole)
        ids, matches = order_hits(known, matching=matching, columns=columns)
        if plan.saying is not None and plan.asks_more and not plan.is_sentence:
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
            if are_among(wanted, known.ids).all():
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
        # Scores of words alone are not on the scale of those that the model was fitted to.
        asked = coverage_for(self.text_encoder).name_emoji(plan.query.text)
        is_read = readable_share(self.text_encoder, asked) >= MIN_READ
        model = self.model if is_read else self.model.without_meaning()

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
            cutoff = relevance_cutoff(ranking, stats, model=model, line=self.line)
            return ranking.ids[ranking.order[: cutoff.relevant]]

        return relevant

    @property
    def _retrievers(self) -> RetrieverFactory:
        return RetrieverFactory(self.catalogue, self.index, self.text_encoder, self.image_encoder, self.pool)

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


def _given(ranking: RelevantRanking) -> Callable[[], RelevantRanking]:
    return lambda: ranking
