"""The relevance cut-off: how many hits that are said to match do, and how many that match are said to.

    python -m benchmarks.relevance
    python -m benchmarks.relevance demo cm50 --fit

Libraries: the demo without and with an image encoder, CM50, real_memes with and without descriptions. Queries with
answers: those that come with a library, quotes with and without quotation marks, and words that many memes hold, alone
and by two; which memes hold a word is read from their texts, not from the index. Queries without: a meme is hidden from
its own queries, or all memes of its template are; queries of another library; words and letters thrown together. Half
of the queries, by the SHA-256 of what they are about, fit the regression; all figures are of the other half. `--fit`
fits it anew, prints the weights and reports on those.
"""

from __future__ import annotations

import string
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import Library, described_templates, drawn_library, without_descriptions
from benchmarks.harness import Benchmark, Half, Report, half_of
from search.encoders.registry import load_image_encoder, load_text_encoder
from search.evaluation.cutoff import DEPTH, fit_odds, hit_shares
from search.index.conditions import Among, Not
from search.index.lexical.analyzer import query_terms, tokenize
from search.index.local import LocalIndex
from search.pipeline import QueryPipeline
from search.ranking.relevance import (
    FEATURES,
    RELEVANCE_MODEL,
    Features,
    RelevanceModel,
    query_stats,
    relevance_features,
)
from search.ranking.retrievers import score_candidates
from search.workspace import Workspace

LIBRARIES = ("demo", "demo with small-clip", "cm50", "real_memes", "real_memes without descriptions")
PENALTY = 1e-3  # of the squared weights, of features divided by their deviation
BANDS = ((1, 1), (2, 5), (6, 30), (31, 300), (301, 10_000))  # numbers of true answers that are reported apart
PRECISION = 0.92  # of what is above the cut-off, in the mean of the kinds of query; .9 is to hold on the other half
BENCHMARK = Benchmark(
    __doc__, needs="cm50, real_memes and an OCR engine, or --libraries demo", takes="15 minutes, without indexing"
)
BENCHMARK.parser.add_argument("libraries", nargs="*", default=[], help=f"some of: {', '.join(LIBRARIES)} (all)")
BENCHMARK.option("--queries", 150, small=6, help="queries of each kind and library")
BENCHMARK.option("--memes", 350, small=40, help="memes of real_memes")
BENCHMARK.parser.add_argument("--fit", action="store_true", help="fit the regression anew, and report on it")


@dataclass(frozen=True)
class Question:
    """A query of a kind, its half, the paths of its answers, and the paths that are hidden from it."""

    kind: str
    half: Half
    query: str
    answers: frozenset[str]
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Asked:
    """A question's ranking: features and truth of each candidate, best first, and which match whatever the model says.

    `may_match` are the candidates that the model is asked about: none for quotes alone, which a meme says or not.
    """

    library: str
    question: Question
    features: Features
    is_answer: NDArray[np.bool_]
    is_exact: NDArray[np.bool_]
    may_match: NDArray[np.bool_]

    @property
    def band(self) -> str:
        """The number of true answers, as a range."""
        many = len(self.question.answers)
        for least, most in BANDS:
            if least <= many <= most:
                return f"{least}" if least == most else f"{least} to {most:,}"
        return "none"

    def certain(self, model: RelevanceModel) -> NDArray[np.bool_]:
        """Return which candidates are said to match ([n]), as search does: exactly, or by the model."""
        relevant = model.cutoff(self.features).relevant
        return self.is_exact | (self.may_match & (np.arange(len(self.is_exact)) < relevant))


def judged_questions(library: Library) -> Iterator[Question]:
    """Yield the judged queries of a library, as they are, without their memes, and without their memes' templates."""
    by_template: dict[str, set[str]] = defaultdict(set)
    for path, template in library.templates.items():
        by_template[template].add(path)
    asked = [(kind, key, text, frozenset(paths)) for key, kind, text, paths in _judged(library)]
    for kind, key, text, answers in asked:
        half = half_of(key)
        yield Question(kind, half, text, answers)
        yield Question(f"{kind}, memes hidden", half, text, frozenset(), answers)
        alike: set[str] = set().union(
            *(by_template[library.templates[path]] for path in answers if path in library.templates)
        )
        if alike - answers:
            yield Question(f"{kind}, template hidden", half, text, frozenset(), frozenset(alike))


def _judged(library: Library) -> Iterator[tuple[str, str, str, set[str]]]:
    """Yield a key of the half, a kind, a query and the paths that answer it."""
    for key, query in library.judged():
        copies = set().union(*(library.readable_copies.get(path, set()) for path in query.relevant))
        if query.kind != "quotes":
            yield key, query.kind, query.query, set(query.relevant) | copies
    for key, text, paths in described_templates(library):
        yield key, "describes a template", text, paths
    for quote, slip, own in library.quotes() if library.name != "cm50" else ():
        yield min(own), "quotes", quote, set(own)
        yield min(own), "quotes with a slip", slip, set(own)
        yield min(own), "quotes in quotation marks", f'"{quote}"', set(own)


def word_questions(texts: Mapping[str, Collection[str]], *, each: int) -> Iterator[Question]:
    """Yield words that memes hold, alone and by two, as many of each band of answers; `texts` are by path."""
    random = Random(7)
    holders: dict[str, set[str]] = defaultdict(set)
    spelled: dict[str, str] = {}
    for path, bodies in texts.items():
        for body in bodies:
            for token in tokenize(body):
                word = body[token.start : token.end]
                if word.isalpha() and word.isascii() and len(word) > 2:
                    holders[token.term].add(path)
                    spelled.setdefault(token.term, word.lower())
    for least, most in BANDS:
        known = sorted(term for term, paths in holders.items() if least <= len(paths) <= most)
        for term in random.sample(known, min(each // len(BANDS), len(known))):
            yield Question("a word", half_of(term), spelled[term], frozenset(holders[term]))
            path = random.choice(sorted(holders[term]))
            others = sorted(other for other, paths in holders.items() if path in paths and other != term)
            other = random.choice(others) if others else term
            if query_terms(f"{spelled[term]} {spelled[other]}") == [term, other]:
                both = holders[term] & holders[other]
                yield Question("two words", half_of(term), f"{spelled[term]} {spelled[other]}", frozenset(both))


def unanswered_questions(own: Sequence[Question], others: Sequence[Question], *, each: int) -> Iterator[Question]:
    """Yield queries of another library, and nonsense."""
    random = Random(5)
    foreign = [one for one in others if one.answers and not one.kind.endswith(("word", "words"))]
    for one in random.sample(foreign, min(each, len(foreign))):
        yield Question("of another library", one.half, one.query, frozenset())
    words = sorted({word for one in own for word in one.query.split()})
    for number in range(each):
        half = (Half.TUNED, Half.HELD_OUT)[number % 2]
        salad = " ".join(random.sample(words, random.randint(3, 7)))
        yield Question("words thrown together", half, salad, frozenset())
        letters = ("".join(random.choices(string.ascii_lowercase, k=random.randint(3, 10))) for _ in range(3))
        yield Question("letters thrown together", half, " ".join(letters), frozenset())


def ask(name: str, workspace: Workspace, questions: Sequence[Question]) -> Iterator[Asked]:
    """Yield each question's ranking, by the pipeline that search ranks with."""
    index = LocalIndex.open(workspace.index)
    images = (
        load_image_encoder(workspace.settings, index.manifest.image_encoder) if index.pictures is not None else None
    )
    pipeline = QueryPipeline(
        workspace.catalogue,
        index,
        load_text_encoder(workspace.settings, long_running=True),
        weights=workspace.settings.weights,
        image_encoder=lambda: images,
    )
    paths = {meme.id: meme.path for meme in workspace.catalogue.memes.everything()}
    ids = {path: id for id, path in paths.items()}
    for one in questions:
        plan = pipeline.plan(one.query)
        if plan.listing is not None:
            continue  # the query is read as filters alone: nothing is ranked
        hidden = np.array(sorted(ids[path] for path in one.hidden if path in ids), np.int64)
        where = Not(Among(hidden)) if len(hidden) else None
        exact = np.setdiff1d(pipeline.exact_matches(plan), hidden)
        others = exact if plan.saying is None or not plan.asks_more else np.union1d(exact, plan.saying)
        ranking = score_candidates(
            index,
            plan.retrievers,
            plan.weights,
            boosts=plan.boosts,
            where=where,
            others=np.setdiff1d(others, hidden),
        ).fuse()
        ranked = ranking.ids[ranking.order]
        may_match = np.ones(len(ranked), np.bool_) if plan.saying is None else np.isin(ranked, plan.saying)
        yield Asked(
            library=name,
            question=one,
            features=relevance_features(ranking, plan.stats or query_stats(index.lexical, ())),
            is_answer=np.array([paths[int(id)] in one.answers for id in ranked], np.bool_),
            is_exact=np.isin(ranked, exact),
            may_match=may_match & (plan.saying is None or plan.asks_more),
        )


def fit(rows: Sequence[Asked]) -> RelevanceModel:
    """Return the regression on the tuned half: every library's kind and band weighs the same, no weight of a hit's
    feature is negative, and the bias is where the mean precision of the kinds reaches PRECISION."""
    rows = [row for row in rows if row.question.half is Half.TUNED and row.may_match.any()]
    many = Counter((row.library, row.question.kind, row.band) for row in rows)
    shares = [
        hit_shares(row.is_answer[:DEPTH]) / many[row.library, row.question.kind, row.band] / len(many) for row in rows
    ]
    fitted = fit_odds(
        np.concatenate([row.features[:DEPTH] for row in rows]),
        np.concatenate([row.is_answer[:DEPTH] for row in rows]),
        np.concatenate(shares),
        near=RelevanceModel((0.0,) * len(FEATURES), 0.0),
        penalty=PENALTY,
    )
    for shift in np.arange(-1.0, 5.0, 0.1):
        model = RelevanceModel(fitted.weights, round(fitted.bias - float(shift), 3))
        if _mean_precision(rows, model) >= PRECISION:
            break
    return model


def _mean_precision(rows: Sequence[Asked], model: RelevanceModel) -> float:
    """Return the mean, over libraries and kinds of query with an answer, of the precision of what is certain."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        certain = model.cutoff(row.features).relevant
        if certain and row.question.answers:
            found[row.library, row.question.kind].append(float(row.is_answer[:certain].mean()))
    return float(np.mean([np.mean(one) for one in found.values()]))


def report_on(rows: Sequence[Asked], model: RelevanceModel, report: Report) -> None:
    """Report precision and recall of what is certain on the held-out half, by library, by band and by kind."""
    held = [row for row in rows if row.question.half is Half.HELD_OUT]
    for title, key in (
        ("by number of answers", lambda row: f"{row.band}"),
        ("by library and number of answers", lambda row: f"{row.library}: {row.band}"),
        ("by library and kind", lambda row: f"{row.library}: {row.question.kind}"),
    ):
        table = report.table(
            f"queries with answers, {title}",
            {"": "", "queries": "d", "precision": ".3f", "recall": ".3f", "some certain": ".3f", "first right": ".3f"},
        )
        groups: dict[str, list[Asked]] = defaultdict(list)
        for row in held:
            if row.question.answers:
                groups[key(row)].append(row)
        for name in sorted(groups, key=lambda one: (one.partition(":")[0], len(one), one)):
            table.row(name, len(groups[name]), *_measures(groups[name], model))
    table = report.table("queries without an answer", {"": "", "queries": "d", "some certain": ".3f"})
    without = [row for row in held if not row.question.answers]
    for name in [*dict.fromkeys(row.question.kind for row in without), "all"]:
        own = [row for row in without if name in (row.question.kind, "all")]
        table.row(name, len(own), float(np.mean([row.certain(model).any() for row in own])))


def _measures(rows: Sequence[Asked], model: RelevanceModel) -> tuple[float | None, float, float, float]:
    """Return the mean precision and recall of what is certain, how often there is some, and how often rank 1 is right.

    The precision is over the queries with certain hits.
    """
    precision, recall, some, first = [], [], [], []
    for row in rows:
        certain = row.certain(model)
        right = int((certain & row.is_answer).sum())
        if certain.any():
            precision.append(right / int(certain.sum()))
        recall.append(right / len(row.question.answers))
        some.append(bool(certain.any()))
        first.append(bool(len(row.is_answer) and row.is_answer[0]))
    mean = float(np.mean(precision)) if precision else None
    return mean, float(np.mean(recall)), float(np.mean(some)), float(np.mean(first))


def questions_of(library: Library, workspace: Workspace, *, each: int) -> list[Question]:
    """Return a library's questions with their kinds, as many of each."""
    texts: dict[int, list[str]] = defaultdict(list)
    paths = {meme.id: meme.path for meme in workspace.catalogue.memes.everything()}
    for row in workspace.catalogue.texts.passages_of(list(paths)):
        texts[row.meme_id].append(row.passage.body)
    by_kind: dict[str, list[Question]] = defaultdict(list)
    for one in judged_questions(library):
        by_kind[one.kind].append(one)
    chosen = [one for own in by_kind.values() for one in Random(3).sample(own, min(each, len(own)))]
    return [*chosen, *word_questions({paths[id]: own for id, own in texts.items()}, each=each)]


def measure(given: Namespace, report: Report) -> None:
    """Ask all libraries, fit the regression if asked to, and report on the half that it was not fitted to."""
    chosen = given.libraries or LIBRARIES
    spaces: dict[str, Workspace] = {}
    questions: dict[str, list[Question]] = {}
    for name in chosen:
        base = name.partition(" ")[0]
        memes = given.memes if base == "real_memes" else 40 if given.small else 0
        library = drawn_library(base, memes=memes)
        if name.endswith("without descriptions"):
            library.workspace(ocr=not given.small).close()
            library = without_descriptions(library)
        settings = {"image_encoder": "small-clip"} if name.endswith("small-clip") else {}
        library = library.beside("-clip") if settings else library
        spaces[name] = library.workspace(ocr=not given.small, **settings)
        questions[name] = questions_of(library, spaces[name], each=given.queries)
    rows: list[Asked] = []
    for place, name in enumerate(chosen):
        own = questions[name]
        other = questions[chosen[(place + 2) % len(chosen)]] if len(chosen) > 2 else ()
        asked = [*own, *unanswered_questions(own, other, each=given.queries // 2)]
        rows += ask(name, spaces[name], asked)
    model = RELEVANCE_MODEL
    if given.fit:
        model = fit(rows)
        table = report.table("fitted", {"feature": "", "weight": ".3f"})
        for feature, weight in zip((*FEATURES, "bias"), (*model.weights, model.bias), strict=True):
            table.row(feature, weight)
    report_on(rows, model, report)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
